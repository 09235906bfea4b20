// Runs the engine as a child of the gateway, from the service's start to its stop, and starts it again when it exits.

import { randomUUID } from "node:crypto";

import { EngineMissing, findEngine, forgetEngine } from "./engine.js";
import { environment, home } from "./environment.js";
import { health } from "./health.js";
import { start } from "./programs.js";

const USAGE = 2; // the config is not valid: only another one helps, and with that the host starts the service again
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const CALM_MS = 60_000; // after so long the next exit counts as the first
const READY_MS = 4_000; // the host (2026.9.6) undoes the activation of a service that takes 5 s, as on a busy machine
const HEALTH_TRIES = 10; // of 2 s each: a busy machine is no other program
const STOP_SECONDS = 40; // the engine lets running responses end first, for 30 s by default

export class EngineService {
  /** `args` are those of the engine; `isReady` decides by a line of its output whether it serves, and where. */
  constructor({ id, args, isReady }) {
    this.id = id;
    this.args = args;
    this.isReady = isReady;
    this.child = null;
    this.timer = null;
    this.stopping = true;
    this.delay = FIRST_DELAY_MS;
  }

  /** Resolves when the engine serves; at the latest after READY_MS, or when it cannot. */
  async start({ config, stateDir, logger }) {
    this.log = logger;
    this.state = stateDir;
    this.port = config?.gateway?.port ?? 18789;
    this.stopping = false;
    this.delay = FIRST_DELAY_MS;
    await Promise.race([this.#launch(), new Promise((resolve) => setTimeout(resolve, READY_MS).unref())]);
  }

  async stop() {
    this.stopping = true;
    clearTimeout(this.timer);
    const child = this.child;
    if (!child) return;
    const ended = child.ended;
    child.stop(STOP_SECONDS);
    await ended;
  }

  async #launch() {
    let command;
    const variables = { ...environment(), OPENCLAW_STATE_DIR: this.state };
    try {
      command = await findEngine({ environment: variables, home: home(), state: this.state });
    } catch (error) {
      if (!(error instanceof EngineMissing)) throw error;
      this.log.error(`${this.id}: ${error.message}`);
      return this.#again();
    }
    if (this.stopping) return;
    const instance = randomUUID();
    const host = ["--host-url", `http://127.0.0.1:${this.port}`, "--instance", instance];
    const argv = [...command, ...this.args, "--exit-on-stdin-eof", ...host];
    const startedAt = Date.now();
    let lastLine = "";
    await new Promise((resolve) => {
      let onEnded;
      const ended = new Promise((end) => (onEnded = end));
      const onLine = async (line) => {
        const url = this.isReady(line);
        if (line.trim()) lastLine = line;
        if (url === undefined) return this.log.info(`${this.id}: ${line}`);
        await this.#checkInstance(url, instance);
        resolve();
      };
      const onExit = async (code) => {
        this.child = null;
        onEnded();
        resolve();
        if (this.stopping) return;
        if (code === null) await forgetEngine(this.state);
        if (Date.now() - startedAt > CALM_MS) this.delay = FIRST_DELAY_MS;
        this.log.error(`${this.id}: the engine ended (${code === null ? "not started" : `status ${code}`}): ${lastLine}`);
        if (code !== USAGE) this.#again();
      };
      this.child = { ...start(argv, { environment: variables, onLine, onExit }), ended };
    });
  }

  #again() {
    if (this.stopping) return;
    this.timer = setTimeout(() => void this.#launch(), this.delay);
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY_MS);
  }

  /** The program that responds at `url` has to be the child. Without a URL there is nothing to check. */
  async #checkInstance(url, instance) {
    if (!url) return this.log.info(`${this.id}: running`);
    let found = null;
    let problem = "no response, where the engine listens";
    try {
      for (let tries = 0; tries < HEALTH_TRIES && !found; tries += 1) found = await health(`${url}/health`);
    } catch (error) {
      problem = error.message;
    }
    if (!found) return this.log.error(`${this.id}: ${url}: ${problem}`);
    if (found.ok === true && (found.instance ?? instance) === instance) {
      return this.log.info(`${this.id}: listening on ${url}`);
    }
    if (found.ok === false && found.instance === instance) {
      return this.log.error(`${this.id}: every request fails until this is fixed: ${found.message}`);
    }
    this.log.error(`${this.id}: another program responds at ${url}; stop it, or set another port`);
  }
}
