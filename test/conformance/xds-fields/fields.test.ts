import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { PARTLY_REFUSED, READ_WITHOUT_EFFECT, WITHOUT_EFFECT } from './field-notes.ts';
import { type MessageFields, observeDecoders } from './field-states.ts';
import { fieldsPage } from './page.ts';

const PAGE = fileURLToPath(new URL('../../../docs/xds-fields.md', import.meta.url));
const HINT = 'see test/conformance/xds-fields/field-notes.ts';

const NOTHING_READ: MessageFields = { read: new Set(), refused: new Set(), unread: new Set() };

const messages = observeDecoders();

test('no field is passed over without a reason, and no reason outlives its field', () => {
  const passedOver = [...messages].flatMap(([typeName, { unread }]) =>
    [...unread].map((field) => `${typeName} ${field}`),
  );
  const reasoned = Object.entries(WITHOUT_EFFECT).flatMap(([typeName, reasons]) =>
    Object.values(reasons).flatMap((fields) => fields.map((field) => `${typeName} ${field}`)),
  );
  expect(
    passedOver.filter((field) => !reasoned.includes(field)),
    HINT,
  ).toEqual([]);
  expect(
    reasoned.filter((field) => !passedOver.includes(field)),
    HINT,
  ).toEqual([]);
});

test('what is said of a field that is read is said of one', () => {
  const missing = [READ_WITHOUT_EFFECT, PARTLY_REFUSED].flatMap((notes) =>
    Object.entries(notes).flatMap(([typeName, fields]) => {
      const { read, refused } = messages.get(typeName) ?? NOTHING_READ;
      return Object.keys(fields).flatMap((field) =>
        read.has(field) || refused.has(field) ? [] : `${typeName} ${field}`,
      );
    }),
  );
  expect(missing, HINT).toEqual([]);
});

test('the page of all fields is what the decoders do', () => {
  const page = fieldsPage(messages);
  if (process.env['WEFT_RECORD'] === '1') writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, 'utf8'), 'write it anew with WEFT_RECORD=1').toBe(page);
});
