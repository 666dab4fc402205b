import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const FOLDER = fileURLToPath(new URL('../../deploy/compose/', import.meta.url));

/** The part of the Compose file that tests look at, its anchors and merge keys resolved. */
export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly ipam: { readonly config: readonly { subnet: string }[] } }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly network_mode?: string;
  readonly networks?: Readonly<Record<string, { readonly ipv4_address: string }>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

/** One registration of `deploy/compose/consul/services.json`. */
export interface SampleRegistration {
  readonly name: string;
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly connect: {
    readonly sidecar_service: {
      readonly port: number;
      readonly proxy?: {
        readonly upstreams?: readonly { readonly destination_name: string; readonly local_bind_port: number }[];
      };
    };
  };
}

export const composeFolder = FOLDER;

export function readComposeFile(): ComposeFile {
  return parse(readFileSync(`${FOLDER}compose.yaml`, 'utf8'), { merge: true }) as ComposeFile;
}

export function readRegistrations(): readonly SampleRegistration[] {
  const file = JSON.parse(readFileSync(`${FOLDER}consul/services.json`, 'utf8')) as {
    readonly services: readonly SampleRegistration[];
  };
  return file.services;
}
