// `openclaw <id> …`: a command of the engine, with its exit status.

import { EngineMissing, findEngine } from "./engine.js";
import { environment, home, stateFolder } from "./environment.js";
import { run } from "./programs.js";
import { inHostsWords } from "./wizard.js";

/** Run a command of the engine and print what it prints; sets the exit code. */
export async function engineCommand(id, words, { out, err, exit }) {
  const variables = environment();
  try {
    const command = await findEngine({ environment: variables, home: home(), state: stateFolder() });
    const found = await run([...command, ...words], { environment: variables, seconds: 120 });
    out(inHostsWords(found.stdout));
    err(inHostsWords(found.stderr));
    exit(found.code ?? 1);
  } catch (error) {
    if (!(error instanceof EngineMissing)) throw error;
    err(`${id}: ${error.message}\n`);
    exit(1);
  }
}
