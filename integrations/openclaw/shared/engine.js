// Finds the Python that has clawgate, once: the absolute path of its interpreter is stored below OpenClaw's state folder.
// The host puts its own folders in front of PATH, so that a name alone could mean another program there.

import fs from "node:fs/promises";
import path from "node:path";

import { run } from "./programs.js";

const NAMES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
const INSTALLATIONS = [".local/share/pipx/venvs", ".local/pipx/venvs", ".local/share/uv/tools"];

export class EngineMissing extends Error {}

/** Return the start of every command line of the engine. Throws EngineMissing. */
export async function findEngine({ environment, home, state }) {
  const stored = path.join(state, "clawgate", "engine.json");
  const known = await storedIn(stored);
  if (known && (await isExecutable(known))) return commandOf(known);
  let hasPython = false;
  for await (const python of candidates(environment, home)) {
    const found = await run([...commandOf(python), "--version"], { environment });
    hasPython ||= found.code !== null;
    if (found.code !== 0 || !found.stdout.startsWith("clawgate ")) continue;
    await store(stored, python);
    return commandOf(python);
  }
  const missing = hasPython ? "no Python here has clawgate" : "Python is not installed";
  throw new EngineMissing(
    `${missing}; install Python 3.11 or newer and clawgate (pipx install clawgate, or in a clone of it: pipx install .), ` +
      "or set CLAWGATE_PYTHON to the absolute path of the Python that has it",
  );
}

const commandOf = (python) => [python, "-P", "-m", "clawgate"];

async function* candidates(environment, home) {
  if (environment.CLAWGATE_PYTHON) yield environment.CLAWGATE_PYTHON;
  const folders = [...(environment.PATH || "").split(path.delimiter), path.join(home, ".local/bin")].filter(path.isAbsolute);
  for (const folder of folders) {
    const python = await interpreterOf(path.join(folder, "clawgate"));
    if (python) yield python;
  }
  for (const folder of INSTALLATIONS) yield* existing(path.join(home, folder, "clawgate/bin/python"));
  for (const name of NAMES) for (const folder of folders) yield* existing(path.join(folder, name));
}

async function* existing(file) {
  if (await isExecutable(file)) yield file;
}

const isExecutable = (file) => fs.access(file, fs.constants.X_OK).then(() => path.isAbsolute(file), () => false);

/** Return the interpreter that a script of pip, pipx or uv names in its first line. */
async function interpreterOf(script) {
  const text = await fs.readFile(script, "utf8").catch(() => "");
  const found = /^#!(\/\S*python[\d.]*)\s*$/m.exec(text.split("\n", 1)[0]) ?? /^'''exec' ["']?(\/[^"'\n]*python[\d.]*)["']? /m.exec(text);
  return found?.[1];
}

async function storedIn(file) {
  try {
    return JSON.parse(await fs.readFile(file, "utf8")).python;
  } catch {
    return undefined;
  }
}

/** Forget the interpreter: the next search starts anew. */
export async function forgetEngine(state) {
  await fs.rm(path.join(state, "clawgate", "engine.json"), { force: true });
}

async function store(file, python) {
  await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await fs.writeFile(file, `${JSON.stringify({ python })}\n`, { mode: 0o600 });
}
