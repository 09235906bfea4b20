// Starts programs. Must not read the environment or use the network: both are given to it, or done elsewhere.

import { spawn } from "node:child_process";

/** Run to the end; resolves to {code, stdout, stderr}, with code null for a program that cannot be started. */
export function run(argv, { environment, seconds = 30 }) {
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    for (const name of Object.keys(texts)) child[name].setEncoding("utf8").on("data", (text) => (texts[name] += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ code: null, stdout: "", stderr: String(error.message) });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, ...texts });
    });
  });
}

/**
 * Start a program whose standard input is a pipe from this process: it ends with this process, however that ends.
 * `onLine` gets each line of its output, `onExit` its exit code once, null where it could not be started.
 */
export function start(argv, { environment, onLine, onExit }) {
  const child = spawn(argv[0], argv.slice(1), { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // it ended first
  lines(child.stdout, (line) => onLine(line, "stdout"));
  lines(child.stderr, (line) => onLine(line, "stderr"));
  child.on("error", (error) => {
    onLine(error.message, "stderr");
    if (child.pid === undefined) onExit(null);
  });
  child.on("close", (code) => onExit(code ?? 1));
  return {
    pid: child.pid,
    send: (line) => child.stdin.write(`${line}\n`),
    /** Let it end in order: the end of its standard input; then by force. */
    stop: (seconds) => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
      child.on("close", () => clearTimeout(timer));
    },
  };
}

function lines(stream, onLine) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    parts.forEach((part) => onLine(part));
  });
  stream.on("end", () => rest && onLine(rest));
}
