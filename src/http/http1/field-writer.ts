import { type HeaderEdits, lineOf } from '../header-edits.ts';
import type { HeaderFields } from '../header-fields.ts';
import { checkedName, checkedValue } from './checked-text.ts';
import { type Http1Fields, REWRITE } from './field-table.ts';
import { isHopByHopName } from './protected-names.ts';

/**
 * Appends the fields of an HTTP/1 head that may travel on. Neighbouring lines nobody touched are copied as one slice of the
 * raw text. `copiedTo` > 0 says that the raw text up to there is to be copied too; `copyableIndex` names a field that is
 * copied although it is marked hop-by-hop.
 */
export function appendRawFields(
  text: string,
  fields: Http1Fields,
  edits: HeaderEdits,
  copiedTo: number,
  copyableIndex: number,
): string {
  const { raw, count } = fields;
  let written = text;
  let runStart = 0;
  let runEnd = copiedTo;
  for (let index = 0; index < count; index += 1) {
    const flags = index === copyableIndex ? fields.flagsAt(index) & REWRITE : fields.flagsAt(index);
    if (flags === 0 && !edits.isRemoved(index)) {
      const lineStart = fields.nameStart(index);
      if (lineStart !== runEnd) {
        if (runEnd > runStart) written += raw.slice(runStart, runEnd);
        runStart = lineStart;
      }
      runEnd = fields.valueEnd(index) + 2;
    } else if (flags === REWRITE && !edits.isRemoved(index)) {
      if (runEnd > runStart) written += raw.slice(runStart, runEnd);
      runStart = runEnd = 0;
      written += `${fields.nameAt(index)}: ${fields.valueAt(index)}\r\n`;
    }
  }
  return runEnd > runStart ? written + raw.slice(runStart, runEnd) : written;
}

/** Appends the fields of a head that came from another codec, each checked. */
export function appendForeignFields(text: string, fields: HeaderFields, edits: HeaderEdits): string {
  let written = text;
  for (let index = 0; index < fields.count; index += 1) {
    if (edits.isRemoved(index) || fields.isHopByHop(index)) continue;
    const name = fields.nameAt(index);
    if (name === 'host' || isHopByHopName(name)) continue;
    written += `${checkedName(name)}: ${checkedValue(name, fields.valueAt(index))}\r\n`;
  }
  return written;
}

/** Appends what edits add, each checked once. Framing and connection fields are the writer's own and are passed over. */
export function appendAddedFields(text: string, edits: HeaderEdits): string {
  const count = edits.addedCount;
  let written = text;
  for (let pair = 0; pair < count; pair += 1) {
    const name = edits.addedName(pair);
    const value = edits.addedValue(pair);
    if (edits.isAddedChecked(pair)) written += edits.addedLine(pair) || lineOf(name, value);
    else if (name !== 'host' && !isHopByHopName(name)) {
      written += `${checkedName(name)}: ${checkedValue(name, value)}\r\n`;
    }
  }
  return written;
}
