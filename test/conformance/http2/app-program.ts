import { AttackedApp } from './attacked-app.ts';

/** The app in a process of its own, where what it keeps is not taken for ours. */
process.stdin.resume().on('end', () => process.exit(0));
const app = new AttackedApp();
process.stdout.write(`listening on ${await app.listen()}\n`);
