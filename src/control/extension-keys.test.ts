import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HTTP_MESH, registration, translated } from './testing/catalog-fixtures.ts';
import { extensionKeysMarkdown, misplacedKeyText, NUMBER_KEYS, WORD_KEYS } from './translate/extension-keys.ts';
import type { TranslatedProxy } from './translate/translate.ts';

const PAGE = new URL('../../docs/configuration.md', import.meta.url);
const BEGIN = '<!-- extension keys -->\n';
const END = '<!-- end -->';

const withUpstream = (Config: object): TranslatedProxy =>
  translated(registration({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config }] }), HTTP_MESH);
const withProxy = (Config: object): TranslatedProxy => translated(registration({ Config }), HTTP_MESH);
const at = (place: 'proxy' | 'upstream', Config: object): TranslatedProxy =>
  place === 'proxy' ? withProxy(Config) : withUpstream(Config);

describe('extension keys', () => {
  /** `WEFT_WRITE_DOCS=1` writes the table anew. */
  test('stand in the documentation as they are in the table', () => {
    const page = readFileSync(PAGE, 'utf8');
    const [before = '', rest = ''] = page.split(BEGIN);
    const [, after = ''] = rest.split(END);
    const written = `${before}${BEGIN}${extensionKeysMarkdown()}\n${END}${after}`;
    if (process.env['WEFT_WRITE_DOCS'] === '1') writeFileSync(PAGE, written);
    else expect(page).toBe(written);
  });

  test.each(Object.entries(NUMBER_KEYS))(
    '%s is taken at its bounds and refused beyond them',
    (key, { place, min, max }) => {
      for (const value of [min, max]) expect(at(place, { [key]: value }).problems).toEqual([]);
      for (const value of [min - 1, max + 1, 'many']) {
        expect(at(place, { [key]: value }).problems).toMatchObject([
          { severity: 'error', message: expect.stringContaining(`"${key}" must be`) as string },
        ]);
      }
    },
  );

  test.each(Object.entries(WORD_KEYS))('%s is one of its words', (key, { place, words }) => {
    for (const word of words) expect(at(place, { [key]: word }).problems).toEqual([]);
    expect(at(place, { [key]: 'another' }).problems).toMatchObject([{ severity: 'error' }]);
  });

  test('that are misspelt or misplaced are named with the fix', () => {
    const messages = ({ problems }: TranslatedProxy): readonly string[] => problems.map(({ message }) => message);
    expect(messages(withUpstream({ weft_lb_polcy: 'random' }))).toEqual([
      'unknown key "weft_lb_polcy"; it is ignored. Did you mean "weft_lb_policy"?',
    ]);
    expect(messages(withUpstream({ weft_local_keepalive_ms: 500 }))).toEqual([
      expect.stringContaining('"weft_local_keepalive_ms" has no effect here; it belongs in a registration'),
    ]);
  });

  test('are ours alone: what stands in Meta for others is none of our business', () => {
    const owner = { Kind: 'service-resolver', Name: 'api', Meta: { team: 'x', weft_lb_polcy: 'random' } } as const;
    const { problems } = translated(
      registration({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191 }] }),
      HTTP_MESH,
      owner,
    );
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('"weft_lb_polcy"')]);
    expect(misplacedKeyText('team')).toBeUndefined();
  });

  test("of the destination's owner count where the caller says nothing", () => {
    const owner = { Kind: 'service-resolver', Name: 'api', Meta: { weft_lb_policy: 'random', team: 'x' } } as const;
    const policy = (Config: object): unknown =>
      translated(
        registration({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config }] }),
        HTTP_MESH,
        owner,
      )
        .units.flatMap(({ resources }) => resources)
        .find(({ name }) => name.endsWith('.mesh.consul'))?.json['lbPolicy'];
    expect(policy({})).toBe('RANDOM');
    expect(policy({ weft_lb_policy: 'least_request' })).toBe('LEAST_REQUEST');
  });
});
