import { freePort } from '../../mesh/support/free-ports.ts';
import { requirePeer } from './peer.ts';
import { PeerProcess } from './peer-process.ts';

const READY_WITHIN_MS = 10_000;
const ADDRESSES = /^ads (\S+) control (\S+)$/m;

/** What a node is to be given, in ProtoJSON. */
export interface GoSnapshot {
  readonly clusters: readonly object[];
  readonly endpoints: readonly object[];
  readonly listeners: readonly object[];
  readonly routes: readonly object[];
}

/** A client's answer to a response; an empty error is an ACK. */
export interface GoAnswer {
  readonly variant: 'sotw' | 'delta';
  readonly typeUrl: string;
  /** Empty in delta, whose answers carry none. */
  readonly version: string;
  readonly nonce: string;
  readonly error: string;
}

/** A management server made of go-control-plane's snapshot cache, which keeps its port when it is started again. */
export class GoControlPlane implements AsyncDisposable {
  readonly adsPort: number;
  readonly #nodeId: string;
  #process: PeerProcess | undefined;
  #controlUrl = '';
  #version = 0;

  private constructor(adsPort: number, nodeId: string) {
    this.adsPort = adsPort;
    this.#nodeId = nodeId;
  }

  static async start(nodeId: string): Promise<GoControlPlane> {
    const controlPlane = new GoControlPlane(await freePort(), nodeId);
    await controlPlane.start();
    return controlPlane;
  }

  /** Starts it, or starts it again with nothing of what it knew. */
  async start(): Promise<void> {
    const child = await PeerProcess.start({
      name: 'go-control-plane',
      command: requirePeer('go-control-plane'),
      args: ['-ads', `127.0.0.1:${this.adsPort}`, 'serve'],
      isReady: () => Promise.resolve(true),
      readyWithinMs: READY_WITHIN_MS,
    });
    this.#process = child;
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    while (!ADDRESSES.test(child.output)) {
      if (child.hasExited || performance.now() > deadlineMs) throw new Error(`go-control-plane: ${child.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#controlUrl = `http://${ADDRESSES.exec(child.output)?.[2]}`;
  }

  async put(snapshot: GoSnapshot): Promise<void> {
    this.#version++;
    const body = JSON.stringify({ node: this.#nodeId, version: `v${this.#version}`, ...snapshot });
    const response = await fetch(`${this.#controlUrl}/snapshot`, { method: 'PUT', body });
    if (!response.ok) throw new Error(`go-control-plane refused the snapshot: ${await response.text()}`);
  }

  /** Every answer of the client since the process started. */
  async answers(): Promise<readonly GoAnswer[]> {
    return (await (await fetch(`${this.#controlUrl}/answers`)).json()) as readonly GoAnswer[];
  }

  async crash(): Promise<void> {
    await this.#process?.crash();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.stop();
  }
}
