import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { OriginAnswer } from './origin.ts';
import { until } from './waiting.ts';

export interface LoadOptions {
  readonly port: number;
  readonly path?: string;
  /** Callers that each send one request after the other. */
  readonly callers?: number;
  /** Between an answer and the next request of the same caller, so that a test does not eat the machine. */
  readonly pauseMs?: number;
  /** A response that the load should not count as failed beside 200 by the right nonce. */
  readonly accepts?: (answer: OriginAnswer) => boolean;
}

/** One request that did not get the answer it should have. */
export interface Failure {
  /** Monotonic milliseconds. */
  readonly sentAtMs: number;
  readonly failedAtMs: number;
  /** 0 where no answer came. */
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

interface Exchange {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_REQUESTS = 20_000;
const MAX_BODY_CHARS = 64 * 1024;

/** Requests that never stop until told to (or at a bound), each with a nonce of its own, each judged. */
export class Load {
  readonly failures: Failure[] = [];
  /** Good answers by the instance that gave them. */
  readonly byInstance = new Map<string, number>();
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #callers: Promise<void>[];
  #total = 0;
  #isStopping = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#callers = Array.from({ length: options.callers ?? 4 }, () => this.#run());
  }

  /** Requests that have been answered or failed. */
  get total(): number {
    return this.#total;
  }

  /** Waits until that many more requests are through, so that a change has met traffic before, after and between. */
  async more(requests: number): Promise<void> {
    const goal = this.#total + requests;
    await until(`${requests} more requests of the load`, () => (this.#total >= goal ? true : undefined));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#callers);
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#isStopping && this.#total < MAX_REQUESTS) {
      await this.#once();
      await delay(this.#options.pauseMs ?? 5);
    }
  }

  async #once(): Promise<void> {
    const nonce = crypto.randomUUID();
    const sentAtMs = performance.now();
    const exchange = await this.#exchange(nonce).catch((error: unknown) => ({
      status: 0,
      headers: '',
      body: error instanceof Error ? error.message : String(error),
    }));
    this.#total++;
    const instance = this.#judge(exchange, nonce);
    if (instance !== undefined) this.byInstance.set(instance, (this.byInstance.get(instance) ?? 0) + 1);
    else this.failures.push({ sentAtMs, failedAtMs: performance.now(), ...exchange });
  }

  /** The instance that answered, or undefined where the answer is not good. */
  #judge({ status, body }: Exchange, nonce: string): string | undefined {
    if (status !== 200) return undefined;
    try {
      const answer = JSON.parse(body) as OriginAnswer;
      const isGood = answer.nonce === nonce && answer.callStatuses.every((code) => code === 200);
      return isGood && (this.#options.accepts?.(answer) ?? true) ? answer.instance : undefined;
    } catch {
      return undefined;
    }
  }

  #exchange(nonce: string): Promise<Exchange> {
    const { port, path = '/' } = this.#options;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port,
          path,
          headers: { 'x-nonce': nonce },
          signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        },
        (response) => void bodyOf(response).then(resolve, reject),
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
  }
}

async function bodyOf(response: IncomingMessage): Promise<Exchange> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) if (body.length < MAX_BODY_CHARS) body += chunk as string;
  return { status: response.statusCode ?? 0, headers: JSON.stringify(response.headers), body };
}
