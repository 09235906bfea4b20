// Lets the engine ask its own questions through the host's prompts, so that both have the same ones, and returns its change.

import { findEngine } from "./engine.js";
import { environment, home, stateFolder } from "./environment.js";
import { start } from "./programs.js";

/** Return the result of an auth method of the host for the provider `id`. Throws an Error that says what to do. */
export async function signIn({ id, token, host }, context) {
  const variables = environment();
  const command = await findEngine({ environment: variables, home: home(), state: stateFolder() });
  const argv = [...command, "models", "auth", "login", "--provider", id, "--host-prompts"];
  const { result, code, errors } = await converse(argv, variables, context.prompter, isCurrent(host));
  if (!result) throw new Error(errors.trim() || `${id}: the setup ended with status ${code}`);
  return {
    profiles: token ? [{ profileId: `${id}:local`, credential: { type: "token", provider: id, token } }] : [],
    configPatch: forHost(withDefault(result), host),
    ...(result.defaultModel ? { defaultModel: result.defaultModel } : {}),
    notes: [...result.notes.map((note) => inHostsWords(note)), removal(id)],
  };
}

const removal = (id) =>
  `To remove it: openclaw plugins uninstall ${id}, which keeps the provider and its models in the config; then ` +
  `openclaw config unset models.providers.${id}, and openclaw models set <provider/model> for another default.`;

/** OpenClaw 2026.3 shows a secret that is typed. */
const isCurrent = (version = "") => !version.startsWith("2026.3.");

/** It also rejects a provider's `request`, and lets providers on private networks pass without it. */
function forHost(configPatch, version) {
  if (isCurrent(version)) return configPatch;
  const entries = Object.entries(configPatch.models?.providers ?? {}).map(([id, { request, ...rest }]) => [id, rest]);
  return { ...configPatch, models: { ...configPatch.models, providers: Object.fromEntries(entries) } };
}

/** The host uses this part with --set-default alone: without fallbacks of its own a failed request fails. */
function withDefault({ configPatch, defaultModel, fallbacks }) {
  if (!defaultModel) return configPatch;
  const agents = configPatch.agents ?? {};
  const model = { primary: defaultModel, fallbacks };
  return { ...configPatch, agents: { ...agents, defaults: { ...agents.defaults, model } } };
}

/** The engine's commands that the host has, too, under the host's name. */
export const inHostsWords = (text) =>
  text
    .replace(/\bclawgate (?=(models auth login|models set|plugins|config|gateway|proxy-bridge|anthropic-claude-proxy|owl)\b)/g, "openclaw ")
    .replace(/\bopenclaw models auth edit\b/g, "openclaw models auth login");

function converse(argv, variables, prompter, hidesSecrets) {
  return new Promise((resolve, reject) => {
    const found = { result: undefined, code: null, errors: "" };
    let shown = [];
    let queue = Promise.resolve();
    const note = async () => {
      const text = inHostsWords(shown.join("\n").replace(/^\s*\n|\s+$/g, ""));
      shown = [];
      if (text) await prompter.note(text);
    };
    const handle = async (message) => {
      if (message.show !== undefined) return void shown.push(message.show);
      await note();
      if (message.result) found.result = message.result;
      else child.send(JSON.stringify({ text: await reply(prompter, message, hidesSecrets) }));
    };
    const onLine = (line, stream) => {
      if (stream === "stderr") return void (found.errors += `${line}\n`);
      queue = queue.then(() => handle(JSON.parse(line))).catch((error) => {
        child.stop(1); // the person left, or the host's prompts ended
        reject(error);
      });
    };
    const onExit = (code) => {
      queue.then(note).then(() => resolve({ ...found, code }), reject);
    };
    const child = start(argv, { environment: variables, onLine, onExit });
  });
}

async function reply(prompter, message, hidesSecrets) {
  if (message.confirm !== undefined) {
    return (await prompter.confirm({ message: message.confirm, initialValue: message.default })) ? "yes" : "no";
  }
  const text = await prompter.text({
    message: hidesSecrets ? message.read : message.read.replace("(not shown)", "(shown by this version of OpenClaw)"),
    ...(message.default ? { initialValue: message.default, placeholder: message.default } : {}),
    ...(message.hidden ? { sensitive: true } : {}),
  });
  return String(text ?? "");
}
