// The service of a package in a process that can be killed: node service_program.mjs INDEX STATE GATEWAY_PORT

import process from "node:process";

const [index, stateDir, port] = process.argv.slice(2);
const { default: plugin } = await import(index);
const write = (line) => process.stdout.write(`${line}\n`);
plugin.register({
  registerService: async (service) => {
    const startedAt = performance.now();
    await service.start({
      config: { gateway: { port: Number(port) } },
      stateDir,
      logger: { info: write, error: write },
    });
    write(`started in ${Math.round(performance.now() - startedAt)} ms`);
  },
  registerProvider: () => {},
  registerCli: () => {},
});
