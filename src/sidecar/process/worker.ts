/** Entry of a worker thread: the program itself is loaded after this, so that it is found compiled. */
import { enableCompileCache } from 'node:module';

enableCompileCache();
await import('./worker-program.ts');
