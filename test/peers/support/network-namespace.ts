import { execFileSync } from 'node:child_process';
import ffi from 'node:ffi';
import { closeSync, openSync } from 'node:fs';
import { describe } from 'vitest';

/** linux/sched.h: a network of its own. */
const CLONE_NEWNET = 0x4000_0000;

/** What must be installed: Debian packages nftables, iproute2 and util-linux. */
const PROGRAMS = [
  ['nft', '--version'],
  ['ip', '-V'],
  ['setpriv', '--version'],
] as const;

/** Addresses of "other machines", and every other address too: whatever is sent anywhere stays in this namespace. */
export const REMOTE_IPV4 = '198.51.100.7';
export const REMOTE_IPV6 = '2001:db8::7';

/**
 * A `describe` whose tests have a network of their own, in which they may redirect connections. Where that is not permitted, or
 * nft is missing, they are skipped, and the title says why.
 */
export function describeInNamespace(title: string, body: () => void): void {
  const problem = namespaceProblem();
  if (problem === undefined) describe(title, body);
  else describe.skip(`${title} (${problem})`, body);
}

/** From here to its end this thread, and every program that it starts, are in a new network. */
export class NetworkNamespace implements Disposable {
  readonly #own: number;

  constructor() {
    this.#own = openSync('/proc/thread-self/ns/net', 'r');
    if (system.unshare(CLONE_NEWNET) !== 0) throw new Error('unshare(CLONE_NEWNET) failed');
    ip('link set lo up');
    for (const address of [`${REMOTE_IPV4}/32`, '192.0.2.1/24']) ip(`addr add ${address} dev lo`);
    for (const address of [`${REMOTE_IPV6}/128`, '2001:db8:1::1/64']) ip(`-6 addr add ${address} dev lo nodad`);
    ip('route add default dev lo');
    ip('-6 route add default dev lo');
  }

  /** The file of rules in the syntax of nft. */
  nft(rules: string): void {
    execFileSync('nft', ['-f', '-'], { input: rules, stdio: ['pipe', 'ignore', 'inherit'] });
  }

  [Symbol.dispose](): void {
    const result = system.setns(this.#own, CLONE_NEWNET);
    closeSync(this.#own);
    if (result !== 0) throw new Error('setns back to the network of before failed');
  }
}

/** Starts a program as another user to whom the files of this one are open, wherever this repository is. */
export function asUser(uid: number): readonly string[] {
  const mayUseFiles = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...mayUseFiles];
}

const system = ffi.dlopen(null, {
  unshare: { arguments: ['i32'], return: 'i32' },
  setns: { arguments: ['i32', 'i32'], return: 'i32' },
}).functions;

function ip(command: string): void {
  execFileSync('ip', command.split(' '), { stdio: ['ignore', 'ignore', 'inherit'] });
}

function namespaceProblem(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.geteuid?.() !== 0) return 'needs to be root: a network namespace, and rules in it';
  for (const [program, option] of PROGRAMS) {
    if (!runs(program, [option])) return `needs ${program}: apt-get install nftables iproute2 util-linux`;
  }
  const rules = 'nft add table inet t && nft add chain inet t c "{ type nat hook output priority -100; }"';
  const canRedirect = runs('unshare', [
    '-n',
    'sh',
    '-c',
    `${rules} && nft add rule inet t c tcp dport 1 redirect to :2`,
  ]);
  return canRedirect ? undefined : 'needs a kernel that permits network namespaces with NAT';
}

function runs(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
