// Counts, during a start, the records that should be on disk and are not. The cursor says which sequences
// are unsettled; every record that is found is compared with them, in order. A gap is a loss (invariant 3).
import type { Cursor } from './cursor.ts'
import type { PlaceLosses } from './losses.ts'
import type { Range } from './ranges.ts'
import { segmentName } from './segment.ts'

export interface Survey {
  /** A record that is not settled, in the order of the disk. Returns its sequence; records of version 0.1 have none and are counted. */
  see(number: number, sequence: number | undefined): number
  /** The records that the cursor lists in a segment, and that are not there. */
  absent(number: number, sequences: readonly number[]): void
  /** A record that an earlier start counted as lost. */
  foundAgain(sequence: number): void
  /** A segment that cannot give what it had; `atLeast` so many unsettled records. */
  damaged(number: number, how: string, atLeast?: number): void
  /** To be called once, behind the last record. Returns the sequence of the next record to be written. */
  finish(): number
  /** The sequence of the next record that is expected. */
  expected(): number
}

export interface SurveyOptions {
  readonly cursor: Cursor | undefined | 'damaged'
  /** The numbers of the segments that are there, in order. */
  readonly numbers: readonly number[]
  readonly losses: PlaceLosses
}

/** Of missing segments, so many are named. */
const maxNamed = 10

export function createSurvey({ cursor: found, numbers, losses }: SurveyOptions): Survey {
  const cursor = typeof found === 'object' ? found : undefined
  /** Without sequences in the cursor, a gap may be a message that was settled. */
  const trusted = cursor?.next !== undefined
  const missing: Range[] = []
  const back: number[] = []
  const reasons = new Set<string>()
  /** Segments that a reason names. */
  const blamed = new Set<number>()
  let expected = cursor?.sequence
  let highest = 0
  /** The segment of the last record. */
  let near = Math.max(1, cursor?.segment ?? numbers[0] ?? 0)
  let numbered = trusted
  let unnumbered = 0
  let uncertain = false

  const blame = (number: number, how: string) => {
    blamed.add(number)
    reasons.add(`${segmentName(number)} ${how}`)
  }

  /** Finds out which segments between two are not there. */
  const blameMissing = (from: number, to: number) => {
    const most = Math.min(to, from + maxNamed)
    for (let number = from; number <= most; number++) if (!numbers.includes(number)) blame(number, 'is missing')
  }

  const gap = (from: number, to: number, segment: number) => {
    if (trusted) missing.push([from, to])
    else uncertain = true
    blameMissing(near, segment)
    const explained = [...blamed].some((number) => near <= number && number <= segment)
    if (!explained) reasons.add(`messages ${from} to ${to - 1} are missing behind ${segmentName(near)}`)
  }

  return {
    see(number, sequence) {
      const known = expected ?? sequence ?? 1
      const own = sequence ?? known
      if (own > known && numbered) gap(known, own, number)
      if (losses.has(own)) back.push(own)
      numbered ||= sequence !== undefined
      // A copy of an earlier record does not change which one comes next.
      expected = numbered ? Math.max(known, own + 1) : own + 1
      highest = Math.max(highest, own)
      near = number
      return own
    },
    absent(number, sequences) {
      const there = numbers.includes(number)
      if (trusted) missing.push(...sequences.map((sequence): Range => [sequence, sequence + 1]))
      else if (there) unnumbered += sequences.length
      else uncertain = true
      if (sequences.length > 0 && !blamed.has(number)) blame(number, there ? 'is damaged' : 'is missing')
    },
    foundAgain: (sequence) => void back.push(sequence),
    damaged(number, how, atLeast = 0) {
      blame(number, how)
      if (trusted) return
      uncertain = true
      if (cursor) unnumbered += atLeast
    },
    expected: () => expected ?? 1,
    finish() {
      const next = cursor?.next ?? 0
      const end = expected ?? next
      const cut = end < next
      if (cut) gap(end, next, Math.max(cursor?.segment ?? 0, numbers.at(-1) ?? 0))
      losses.found(back)
      if (found === 'damaged') reasons.add('the cursor is damaged')
      if (found === undefined && numbered) reasons.add('the cursor is missing')
      if (found === 'damaged' || (found === undefined && numbered)) uncertain = true
      if (cursor && !trusted) {
        const after = numbers.filter((number) => number >= cursor.segment)
        for (const [i, number] of after.entries()) {
          const before = after[i - 1] ?? number - 1
          if (number > before + 1) uncertain = true
          blameMissing(before + 1, number - 1)
        }
      }
      const exact = !uncertain && unnumbered === 0 && (!cut || cursor?.closed === true)
      if (missing.length > 0 || unnumbered > 0 || uncertain) losses.add('start', { ranges: missing, unnumbered, exact, reasons })
      return Math.max(end, next, highest + 1, losses.next(), 1)
    },
  }
}
