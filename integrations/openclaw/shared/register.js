// Registers with the host what a plugin of clawgate has: its service, its provider with a wizard, and its command.

import process from "node:process";

import { engineCommand } from "./command.js";
import { signIn } from "./wizard.js";

const streams = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  exit: (code) => (process.exitCode = code),
};

/**
 * `service` runs the engine beside the gateway, where the plugin has one; `token` is stored as the credential.
 * `verbs` maps each verb of the command to its description and the words of the engine's command.
 */
export function register(api, { id, label, hint, service, token, verbs }) {
  if (service) {
    api.registerService({ id, start: (context) => service.start(context), stop: () => service.stop() });
  }
  api.registerProvider({
    id,
    label,
    auth: [{ id: "local", label, hint, kind: "custom", run: (context) => signIn({ id, token, host: api.runtime?.version }, context) }],
  });
  api.registerCli(
    ({ program }) => {
      const group = program.command(id).description(label);
      for (const [verb, [description, ...words]] of Object.entries(verbs)) {
        group
          .command(verb)
          .description(description)
          .option("--json", "Print JSON, for programs.")
          .action((options) => engineCommand(id, [...words, ...(options.json ? ["--json"] : [])], streams));
      }
    },
    { commands: [id], descriptors: [{ name: id, description: label, hasSubcommands: true }] },
  );
}
