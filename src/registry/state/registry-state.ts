/** Everything the registry holds, in one place, so that each endpoint takes what it needs and owns nothing. */
import type { LocalAgent } from '../agent/local-agent.ts';
import type { ConnectCa } from '../connect-ca/connect-ca.ts';
import type { Catalog } from './catalog.ts';
import type { ChangeIndex } from './change-index.ts';
import type { ConfigEntries } from './config-entries.ts';
import type { KeyValues } from './key-values.ts';
import type { PreparedQueries } from './prepared-queries.ts';
import type { Sessions } from './sessions.ts';

export interface RegistryState {
  readonly datacenter: string;
  readonly nodeName: string;
  readonly nodeId: string;
  /** Where this agent answers, as its own answers name it. */
  readonly advertiseAddress: string;
  readonly connectCa: ConnectCa;
  readonly changes: ChangeIndex;
  readonly catalog: Catalog;
  readonly agent: LocalAgent;
  readonly configEntries: ConfigEntries;
  readonly keyValues: KeyValues;
  readonly sessions: Sessions;
  readonly preparedQueries: PreparedQueries;
}
