/** One sample application as a process of its own, so that it can be killed: `node origin-main.ts '<OriginOptions as JSON>'`. */
import { type OriginOptions, startOrigin } from './origin.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as OriginOptions;
const origin = await startOrigin(options);
process.stdout.write(`listening on ${origin.port}\n`);
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0));
process.stdin.resume();
