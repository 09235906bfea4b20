// Reads the environment and the folders of this process. The only file that does, and it does nothing else.

import os from "node:os";
import path from "node:path";
import process from "node:process";

export const environment = () => ({ ...process.env });

export const home = () => process.env.OPENCLAW_HOME || os.homedir();

/** OpenClaw's state folder, where it does not say itself which that is. */
export const stateFolder = () => process.env.OPENCLAW_STATE_DIR || path.join(home(), ".openclaw");
