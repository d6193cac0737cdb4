// Where the reader is, on disk (turns.ts draws the files).
//
//   {"number":41,"segment":7,"offset":5120,"sequence":91,"next":140,"unsettled":{"6":[[400,77],[880,79]]}}
//
// Every record before (segment, offset) is settled, except those listed as [offset, sequence]; every record from there on is not. What was
// settled since the last write comes back after a crash, as duplicates; nothing is ever skipped.
//
// The sequences say what must be there: every record from `sequence` up to `next`, and those listed. recover.ts counts what is missing.
import * as z from 'zod'
import type { SpoolFs } from './fs.ts'
import { openTurns, type Turns, turnNames } from './turns.ts'

const count = z.int().min(0)

const schema = z.strictObject({
  segment: count,
  offset: count,
  /** The sequence of the record at (segment, offset). Cursors of version 0.1 have no sequences. */
  sequence: count.optional(),
  /** One more than the highest sequence on disk. */
  next: count.optional(),
  /** Written by a stop: no record was added after it. */
  closed: z.boolean().optional(),
  /** By segment. Offsets alone in cursors of version 0.1. */
  unsettled: z.record(z.string(), z.array(z.union([count, z.tuple([count, count])]))),
})

export type Cursor = z.infer<typeof schema>
export type CursorFiles = Turns<Cursor>

export const cursorNames = turnNames('cursor')

export const openCursor = (fs: SpoolFs, dir: string): Promise<CursorFiles> => openTurns(fs, dir, 'cursor', schema)
