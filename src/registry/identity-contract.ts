/**
 * What a mesh relies on from Consul's certificate authority, as cases like those of `contract.ts`: roots, leaves, and what
 * happens to both when the root is replaced.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { at, type ContractApi, type ContractCase, type ContractReply } from './contract.ts';

const ROOTS = '/v1/agent/connect/ca/roots';
const LEAF = '/v1/agent/connect/ca/leaf/';
const HOUR_MS = 3_600_000;

function chainOf(leaf: ContractReply): readonly X509Certificate[] {
  const text = String(at(leaf.json, 'CertPEM'));
  return (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (pem) => new X509Certificate(pem),
  );
}

/** The certificates of all roots, by the id of each. */
function rootsOf(reply: ContractReply): ReadonlyMap<string, X509Certificate> {
  const rows = at(reply.json, 'Roots');
  assert.ok(Array.isArray(rows));
  return new Map(rows.map((row) => [String(at(row, 'ID')), new X509Certificate(String(at(row, 'RootCert')))]));
}

/** Consul's agents spread the renewal of leaves over half a minute, so that a new root is not met by all at once. */
const WAITS = 4;

/** Waits for an answer of a higher index of which `holds` is true: a return is no proof of change. */
async function newer(
  api: ContractApi,
  path: string,
  seen: ContractReply,
  holds: (reply: ContractReply) => boolean,
): Promise<ContractReply> {
  let { index } = seen;
  for (let waited = 0; waited < WAITS; waited += 1) {
    const reply = await api.get(`${path}?index=${index}&wait=15s`);
    if (reply.index > seen.index && holds(reply)) return reply;
    index = reply.index;
  }
  assert.fail(`${path} never moved on from index ${seen.index}`);
}

/** Sets the size of the root's key: another size than now makes another root. */
async function setRootKey(api: ContractApi, bits: number): Promise<void> {
  const Config = { PrivateKeyType: 'ec', PrivateKeyBits: bits };
  const reply = await api.put('/v1/connect/ca/configuration', { Provider: 'consul', Config });
  assert.equal(reply.status, 200, reply.text);
}

export const IDENTITY_CONTRACT: readonly ContractCase[] = [
  {
    name: 'the roots say which of them is active, and all are self-signed authorities of the trust domain',
    async run(api) {
      const reply = await api.get(ROOTS);
      assert.ok(reply.index > 0);
      assert.deepEqual((await api.get('/v1/connect/ca/roots')).json, reply.json);
      const trustDomain = String(at(reply.json, 'TrustDomain'));
      assert.match(trustDomain, /^[0-9a-f-]{36}\.consul$/);
      const roots = rootsOf(reply);
      const active = roots.get(String(at(reply.json, 'ActiveRootID')));
      assert.ok(active?.ca && active.verify(active.publicKey));
      assert.equal(active.subjectAltName, `URI:spiffe://${trustDomain}`);
      assert.equal(active.fingerprint.toLowerCase(), at(reply.json, 'ActiveRootID'));
    },
  },
  {
    name: 'a leaf names its service by SPIFFE id, is signed by the active root, and has the key that belongs to it',
    async run(api) {
      const roots = await api.get(ROOTS);
      const leaf = await api.get(`${LEAF}l2`);
      assert.equal(leaf.status, 200);
      assert.ok(leaf.index > 0);
      const uri = `spiffe://${String(at(roots.json, 'TrustDomain'))}/ns/default/dc/dc1/svc/l2`;
      assert.deepEqual([at(leaf.json, 'Service'), at(leaf.json, 'ServiceURI')], ['l2', uri]);
      const [certificate] = chainOf(leaf);
      const root = rootsOf(roots).get(String(at(roots.json, 'ActiveRootID')));
      assert.ok(certificate && root && certificate.verify(root.publicKey));
      assert.equal(certificate.subjectAltName, `URI:${uri}`);
      assert.equal(certificate.ca, false);
      assert.ok(certificate.checkPrivateKey(createPrivateKey(String(at(leaf.json, 'PrivateKeyPEM')))));
      const [from, until] = ['ValidAfter', 'ValidBefore'].map((field) => Date.parse(String(at(leaf.json, field))));
      assert.equal((until ?? 0) - (from ?? 0), 72 * HOUR_MS);
      assert.deepEqual([certificate.validFromDate.getTime(), certificate.validToDate.getTime()], [from, until]);
    },
  },
  {
    name: 'a leaf is the same for all who ask, and can be waited for',
    async run(api) {
      const first = await api.get(`${LEAF}l3`);
      const second = await api.get(`${LEAF}l3?index=${first.index}&wait=100ms`);
      assert.deepEqual(second.json, first.json);
      assert.equal(second.index, first.index);
      assert.notEqual(at((await api.get(`${LEAF}l3-other`)).json, 'SerialNumber'), at(first.json, 'SerialNumber'));
    },
  },
  {
    name: 'a root that is replaced stays trusted, wakes who waits for roots and leaves, and vouches for its successor',
    async run(api) {
      await setRootKey(api, 256);
      const leaf = await api.get(`${LEAF}l4`);
      const roots = await api.get(ROOTS);
      const before = String(at(roots.json, 'ActiveRootID'));
      await setRootKey(api, 384);
      const rotated = await newer(api, ROOTS, roots, (reply) => at(reply.json, 'ActiveRootID') !== before);
      const now = String(at(rotated.json, 'ActiveRootID'));
      assert.notEqual(now, before);
      assert.equal(at(rotated.json, 'TrustDomain'), at(roots.json, 'TrustDomain'));
      const all = rootsOf(rotated);
      const [oldRoot, newRoot] = [all.get(before), all.get(now)];
      assert.ok(oldRoot && newRoot);
      const rows = at(rotated.json, 'Roots');
      assert.ok(Array.isArray(rows));
      assert.deepEqual(
        rows.filter((row) => at(row, 'Active') === true).map((row) => at(row, 'ID')),
        [now],
      );

      const renewed = await newer(api, `${LEAF}l4`, leaf, () => true);
      const [certificate, crossSigned] = chainOf(renewed);
      assert.ok(certificate && crossSigned);
      assert.ok(certificate.verify(newRoot.publicKey));
      // Who has not heard of the new root yet trusts it through the old one.
      assert.ok(crossSigned.verify(oldRoot.publicKey) && certificate.verify(crossSigned.publicKey));
      await setRootKey(api, 256);
    },
  },
];
