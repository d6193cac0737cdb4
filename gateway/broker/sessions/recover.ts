// Recovery of the session journal: applies the entries that a start finds, and counts what is missing.
//
// Beside the journal, `state` and `state.2` (spool/turns.ts draws them) say which file is in use, how far it was written, and how many
// sessions and messages it stood for. A start compares: a file that is missing, cut or damaged is a loss.
import { join } from 'node:path'
import * as z from 'zod'
import { bodyOf } from '../../spool/codec.ts'
import { isUnreadable, type SpoolFile, type SpoolFs } from '../../spool/fs.ts'
import type { Finding } from '../../spool/losses.ts'
import { isTorn } from '../../spool/recover.ts'
import { findRecord, headerBytes, isZero, readChunk, readHeader, segmentName, segmentNumber } from '../../spool/segment.ts'
import { openTurns, type Turns } from '../../spool/turns.ts'
import { decodeEntry, type Entry } from './entry.ts'
import type { FileJournalOptions } from './journal.ts'

const number = z.int().min(0)
const schema = z.strictObject({
  /** Number of the file in use, and the bytes of it that are on disk. */
  segment: number,
  bytes: number,
  ...{ sessions: number, retained: number, queued: number },
  /** Written by a stop: nothing was added after it. */
  closed: z.boolean(),
})

export type Saved = z.infer<typeof schema>
export type SavedFiles = Turns<Saved>
export type Counts = Pick<Saved, 'sessions' | 'retained' | 'queued'>

export const openSaved = (fs: SpoolFs, dir: string): Promise<SavedFiles> => openTurns(fs, dir, 'state', schema)

export interface RecoveredJournal {
  /** The highest number that was ever used. */
  readonly last: number
  readonly damaged: boolean
  readonly loss?: Finding
}

interface Scanned {
  /** Bytes of damage between records. */
  readonly lost: number
  /** Where the last whole record ends. */
  readonly end: number
}

/** Applies the entries of the last whole file. A file that is damaged or cannot be read is kept as `*.corrupt`. Rejects with NewerFormatError. */
export async function recoverJournal(options: FileJournalOptions, found: Saved | undefined | 'damaged'): Promise<RecoveredJournal> {
  const { journaled, dir, fs, observe } = options
  const saved = typeof found === 'object' ? found : undefined
  const names = await fs.list(dir)
  const used = names.flatMap((name) => segmentNumber(name.replace(/\.corrupt$/, '')) ?? [])
  const numbers = names.flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => b - a)
  const last = Math.max(0, saved?.segment ?? 0, ...used)
  const reasons: string[] = []
  let applied: number | undefined
  let damaged = false

  const setAside = async (number: number, how: string, bytes = 0) => {
    const path = join(dir, segmentName(number))
    damaged = true
    reasons.push(`${segmentName(number)} ${how}`)
    observe.record('sessions.corrupted', { bytes, detail: `${path}.corrupt` })
    await fs.rename(path, `${path}.corrupt`)
  }

  for (const number of numbers) {
    if (applied !== undefined) break
    const path = join(dir, segmentName(number))
    try {
      // The state names a file only after the whole of it was on disk.
      let whole = saved?.segment === number
      const isWhole = ({ kind }: Entry) => {
        whole ||= kind === 'whole'
        return whole
      }
      if (!whole) await scan(fs, path, isWhole)
      if (!whole) continue
      const { lost, end } = await scan(fs, path, (entry) => {
        journaled.apply(entry)
        return false
      })
      applied = number
      const cut = saved?.segment === number && end < saved.bytes
      if (lost > 0 || cut) await setAside(number, lost > 0 ? 'is damaged' : 'is cut', lost || saved!.bytes - end)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      await setAside(number, `cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }

  // A crash soon after a new file has replaced the one that the state names is not a loss: the new one holds everything.
  const replaced = saved !== undefined && applied !== undefined && applied > saved.segment
  if (saved && !replaced && !numbers.includes(saved.segment)) reasons.push(`${segmentName(saved.segment)} is missing`)
  if (reasons.length === 0) return { last, damaged }
  const loss = saved ? lossOf(saved, journaled.counts(), reasons) : { exact: false, reasons }
  return { last, damaged, loss }
}

function lossOf(saved: Saved, left: Counts, reasons: string[]): Finding {
  const lost = (of: keyof Counts) => Math.max(0, saved[of] - left[of])
  const sessions = lost('sessions')
  if (sessions > 0) reasons.push(`${sessions} ${sessions === 1 ? 'session' : 'sessions'} lost`)
  return { unnumbered: lost('retained') + lost('queued'), exact: saved.closed, reasons }
}

/** Shows the entries of a file in order, until one is enough. A sector that cannot be read ends it. */
async function scan(fs: SpoolFs, path: string, isEnough: (entry: Entry) => boolean): Promise<Scanned> {
  const file = await fs.open(path, 'r')
  let enough = false
  let lost = 0
  let at = headerBytes
  let end = headerBytes
  try {
    const salt = await readHeader(file)
    const size = salt === undefined ? 0 : await file.size()
    while (at < size && !enough) {
      const { next, bad } = await readChunk(file, salt!, at, size, (buffer, start, length, offset) => {
        enough ||= isEnough(decodeEntry(bodyOf(buffer, start, length)))
        end = offset + length
      })
      at = bad ? await skip(file, salt!, next, size) : next
      if (bad && at < size) lost += at - next
    }
  } catch (error) {
    if (at === headerBytes || !isUnreadable(error)) throw error
    lost += (await file.size()) - at
  } finally {
    await file.close()
  }
  return { lost, end }
}

/** Where to go on after damage; the end of the file if a crash tore the last write. */
async function skip(file: SpoolFile, salt: number, from: number, size: number): Promise<number> {
  if (await isZero(file, from, size)) return size
  const found = await findRecord(file, salt, from, size)
  return found < size && (await isTorn(file, salt, from, found, size)) ? size : found
}
