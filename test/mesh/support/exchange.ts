import { request } from 'node:http';
import type { OriginAnswer } from './origin.ts';

/** A whole answer to one request. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** What the application says it received; throws where it was not the application that answered. */
  readonly origin: OriginAnswer;
}

export interface Question {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request on a connection of its own. */
export function ask({ port, path = '/', method = 'GET', headers = {}, body }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(10_000);
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          get origin() {
            return JSON.parse(text) as OriginAnswer;
          },
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
