import type { StatefulSessionConfig } from '../../resource/filter-config.ts';
import { requestValues } from './effective-fields.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';

/**
 * envoy.filters.http.stateful_session: a session stays with the host that served it first. The host's address travels with
 * the client, in a cookie or a header; a host that is gone is replaced, or with `strict` is missed.
 */
export function createStatefulSession(name: string, config: StatefulSessionConfig): CompiledFilter {
  const { session, strict } = config;
  /** The address that each request came with, '' for none. */
  const asked = new Map<FilterStream, string>();
  return {
    name,
    onRequestHead(stream) {
      const address =
        session.by === 'cookie' ? addressInCookie(stream, session.name) : addressInHeader(stream, session.name);
      asked.set(stream, address);
      if (address !== '') stream.overrideHost = { address, isStrict: strict };
      return 'continue';
    },
    onResponseHead(stream, head) {
      const address = servedBy(stream);
      if (address === '' || stream.isLocalReply) return 'continue';
      if (session.by === 'header') {
        stream.responseEdits.set(head.fields, session.name, encoded(address));
      } else if (asked.get(stream) !== address) {
        stream.responseEdits.add('set-cookie', cookie(session, address));
      }
      return 'continue';
    },
    onStreamEnd: (stream) => void asked.delete(stream),
    forRoute([own]) {
      return own?.kind === 'statefulSession' ? createStatefulSession(name, own) : this;
    },
  };
}

/** `address:port`, as hosts are named. */
const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[0-9.]+):\d{1,5}$/;

function servedBy({ record }: FilterStream): string {
  const { hostAddress, hostPort } = record;
  if (hostAddress === '' || hostPort === 0) return '';
  return hostAddress.includes(':') ? `[${hostAddress}]:${hostPort}` : `${hostAddress}:${hostPort}`;
}

function addressInCookie(stream: FilterStream, name: string): string {
  for (const line of requestValues(stream, 'cookie')) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=');
      if (equals > 0 && pair.slice(0, equals).trim() === name) return decoded(pair.slice(equals + 1).trim());
    }
  }
  return '';
}

function addressInHeader(stream: FilterStream, name: string): string {
  return decoded(requestValues(stream, name)[0] ?? '');
}

/** What a client says is looked up among hosts and goes nowhere else; what is no address is none. */
function decoded(value: string): string {
  if (value.length > 128) return '';
  const text = Buffer.from(value.replace(/^"(.*)"$/, '$1'), 'base64').toString('latin1');
  return ADDRESS.test(text) ? text : '';
}

function encoded(address: string): string {
  return Buffer.from(address, 'latin1').toString('base64');
}

type CookieSession = Extract<StatefulSessionConfig['session'], { readonly by: 'cookie' }>;

function cookie({ name, ttlMs, path }: CookieSession, address: string): string {
  const maxAge = ttlMs === undefined || ttlMs === 0 ? '' : `; Max-Age=${Math.round(ttlMs / 1000)}`;
  const place = path === '' ? '' : `; Path=${path}`;
  return `${name}="${encoded(address)}"${maxAge}${place}; HttpOnly`;
}
