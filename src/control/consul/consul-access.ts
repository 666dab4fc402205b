import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildConnector } from 'undici';
import { WatchedFile } from './watched-file.ts';

/** Where Consul's API is, who we are to it, and whose data is asked for; as Consul's own tools are told. */
export interface ConsulAccess {
  /** Base URLs, most wanted first: `http://127.0.0.1:8500`. */
  readonly addresses: readonly string[];
  readonly token?: string | undefined;
  /** Read again when it changes. It counts before `token`, as with Consul's tools. */
  readonly tokenFile?: string | undefined;
  readonly tls?: ConsulTls | undefined;
  /** Put into every question; undefined leaves it to the agent. */
  readonly datacenter?: string | undefined;
  readonly namespace?: string | undefined;
  readonly partition?: string | undefined;
}

/** Files are read again when they change; what was connected before stays connected. */
export interface ConsulTls {
  /** Whom we trust instead of the system's authorities. */
  readonly caFile?: string | undefined;
  /** A folder of such files. */
  readonly caFolder?: string | undefined;
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name that Consul's certificate must carry, where it is not the address. */
  readonly serverName?: string | undefined;
  /** False trusts whoever answers. */
  readonly verify?: boolean | undefined;
}

export type Connector = ReturnType<typeof buildConnector>;

/** The token of now; undefined where there is none. Throws where the file cannot be read at first. */
export function tokenSource(
  { token, tokenFile }: Pick<ConsulAccess, 'token' | 'tokenFile'>,
  nowMs: () => number,
): () => string | undefined {
  const fixed = token === '' ? undefined : token;
  if (tokenFile === undefined || tokenFile === '') return () => fixed;
  const file = new WatchedFile('CONSUL_HTTP_TOKEN_FILE', tokenFile, nowMs);
  return () => {
    const written = file.text.trim();
    return written === '' ? fixed : written;
  };
}

/** What every question carries besides its own parameters. */
export function scopeParameters({ datacenter, namespace, partition }: ConsulAccess): Readonly<Record<string, string>> {
  return {
    ...(isSet(datacenter) ? { dc: datacenter } : {}),
    ...(isSet(namespace) ? { ns: namespace } : {}),
    ...(isSet(partition) ? { partition } : {}),
  };
}

/** What a TLS connection to Consul is made with. */
export interface TlsMaterial {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: false;
}

/** The certificates of now: the same object while none has changed. Throws, naming the variable, as tlsConnector does. */
export function tlsMaterialSource(tls: ConsulTls, nowMs: () => number): () => TlsMaterial {
  const authorities = caFilesOf(tls).map(([name, path]) => new WatchedFile(name, path, nowMs));
  const certificate = fileOf('CONSUL_CLIENT_CERT', tls.certificateFile, nowMs);
  const key = fileOf('CONSUL_CLIENT_KEY', tls.keyFile, nowMs);
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Error('CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY belong together: set both or neither');
  }
  let made: { readonly of: string; readonly material: TlsMaterial } | undefined;
  return () => {
    const ca = authorities.map(({ text }) => text);
    const own = certificate === undefined || key === undefined ? {} : { cert: certificate.text, key: key.text };
    const of = JSON.stringify([ca, own]);
    if (made?.of !== of) {
      const material: TlsMaterial = {
        ...(ca.length === 0 ? {} : { ca }),
        ...own,
        ...(isSet(tls.serverName) ? { servername: tls.serverName } : {}),
        ...(tls.verify === false ? { rejectUnauthorized: false } : {}),
      };
      made = { of, material };
    }
    return made.material;
  };
}

/** Makes connections with the certificates of now. Throws, naming the variable, where a file cannot be read at first. */
export function tlsConnector(tls: ConsulTls, timeoutMs: number, nowMs: () => number): Connector {
  const material = tlsMaterialSource(tls, nowMs);
  let made: { readonly of: TlsMaterial; readonly connector: Connector } | undefined;
  return (options, callback) => {
    const of = material();
    if (made?.of !== of) made = { of, connector: buildConnector({ timeout: timeoutMs, ...of }) };
    made.connector(options, callback);
  };
}

function caFilesOf({ caFile, caFolder }: ConsulTls): readonly (readonly [string, string])[] {
  if (isSet(caFile)) return [['CONSUL_CACERT', caFile]];
  if (!isSet(caFolder)) return [];
  try {
    const found = readdirSync(caFolder, { withFileTypes: true }).filter((entry) => !entry.isDirectory());
    if (found.length === 0) throw new Error('the folder is empty');
    return found.map(({ name }) => ['CONSUL_CAPATH', join(caFolder, name)] as const);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`CONSUL_CAPATH: cannot read ${caFolder}: ${reason}`, { cause: error });
  }
}

function fileOf(name: string, path: string | undefined, nowMs: () => number): WatchedFile | undefined {
  return isSet(path) ? new WatchedFile(name, path, nowMs) : undefined;
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}
