// Counts, during a start, the records that should be on disk and are not. The cursor says which sequences
// are unsettled; every record that is found is compared with them, in order. A gap is a loss (invariant 3).
import type { Cursor } from './cursor.ts'
import type { PlaceLosses } from './losses.ts'
import type { Range } from './ranges.ts'
import { segmentName } from './segment.ts'

export interface SurveyOptions {
  readonly cursor: Cursor | undefined | 'damaged'
  /** The numbers of the segments in the directory, in order. */
  readonly numbers: readonly number[]
  readonly losses: PlaceLosses
}

/** Missing segments that a reason names at most. */
const maxNamed = 10

export class Survey {
  readonly #found: Cursor | undefined | 'damaged'
  readonly #cursor: Cursor | undefined
  readonly #numbers: readonly number[]
  readonly #losses: PlaceLosses
  /** false: the cursor has no sequences, so a gap may be a message that was settled. */
  readonly #trusted: boolean
  readonly #missing: Range[] = []
  /** Sequences on the account of losses that are on disk again. */
  readonly #back: number[] = []
  readonly #reasons = new Set<string>()
  /** Segments that a reason names. */
  readonly #blamed = new Set<number>()
  #expected: number | undefined
  #highest = 0
  /** The segment of the last record. */
  #near: number
  /** A record or the cursor has a sequence. */
  #numbered: boolean
  /** Missing messages whose sequence is unknown. */
  #unnumbered = 0
  #uncertain = false

  constructor({ cursor: found, numbers, losses }: SurveyOptions) {
    this.#found = found
    this.#cursor = typeof found === 'object' ? found : undefined
    this.#numbers = numbers
    this.#losses = losses
    this.#trusted = this.#cursor?.next !== undefined
    this.#expected = this.#cursor?.sequence
    this.#near = Math.max(1, this.#cursor?.segment ?? numbers[0] ?? 0)
    this.#numbered = this.#trusted
  }

  /** A record that is not settled, in the order of the disk. Returns its sequence; records of version 0.1 have none and are counted. */
  see(number: number, sequence: number | undefined): number {
    const known = this.#expected ?? sequence ?? 1
    const own = sequence ?? known
    if (own > known && this.#numbered) this.#gap(known, own, number)
    if (this.#losses.has(own)) this.#back.push(own)
    this.#numbered ||= sequence !== undefined
    // A copy of an earlier record does not change which one comes next.
    this.#expected = this.#numbered ? Math.max(known, own + 1) : own + 1
    this.#highest = Math.max(this.#highest, own)
    this.#near = number
    return own
  }

  /** Records that the cursor lists in a segment, and that are not there. */
  absent(number: number, sequences: readonly number[]): void {
    const isThere = this.#numbers.includes(number)
    if (this.#trusted) this.#missing.push(...sequences.map((sequence): Range => [sequence, sequence + 1]))
    else if (isThere) this.#unnumbered += sequences.length
    else this.#uncertain = true
    if (sequences.length > 0 && !this.#blamed.has(number)) this.#blame(number, isThere ? 'is damaged' : 'is missing')
  }

  /** A record that an earlier start counted as lost. */
  foundAgain(sequence: number): void {
    this.#back.push(sequence)
  }

  /** A segment from which at least so many unsettled records are missing. */
  damaged(number: number, how: string, atLeast = 0): void {
    this.#blame(number, how)
    if (this.#trusted) return
    this.#uncertain = true
    if (this.#cursor) this.#unnumbered += atLeast
  }

  /** Puts what is missing on the account. Call it once, after the last record. Returns the sequence of the next record to be written. */
  finish(): number {
    const next = this.#cursor?.next ?? 0
    const end = this.#expected ?? next
    const isCut = end < next
    if (isCut) this.#gap(end, next, Math.max(this.#cursor?.segment ?? 0, this.#numbers.at(-1) ?? 0))
    this.#losses.found(this.#back)
    this.#judgeCursor()
    const exact = !this.#uncertain && this.#unnumbered === 0 && (!isCut || this.#cursor?.closed === true)
    if (this.#missing.length > 0 || this.#unnumbered > 0 || this.#uncertain) {
      this.#losses.add('start', { ranges: this.#missing, unnumbered: this.#unnumbered, exact, reasons: this.#reasons })
    }
    return Math.max(end, next, this.#highest + 1, this.#losses.next(), 1)
  }

  /** A cursor that is damaged, missing, or without sequences makes the count a lower bound. */
  #judgeCursor(): void {
    const isMissing = this.#found === undefined && this.#numbered
    if (this.#found === 'damaged') this.#reasons.add('the cursor is damaged')
    if (isMissing) this.#reasons.add('the cursor is missing')
    if (this.#found === 'damaged' || isMissing) this.#uncertain = true
    const cursor = this.#cursor
    if (!cursor || this.#trusted) return
    const after = this.#numbers.filter((number) => number >= cursor.segment)
    for (const [i, number] of after.entries()) {
      const before = after[i - 1] ?? number - 1
      if (number > before + 1) this.#uncertain = true
      this.#blameMissing(before + 1, number - 1)
    }
  }

  #gap(from: number, to: number, segment: number): void {
    if (this.#trusted) this.#missing.push([from, to])
    else this.#uncertain = true
    this.#blameMissing(this.#near, segment)
    const isExplained = [...this.#blamed].some((number) => this.#near <= number && number <= segment)
    if (!isExplained) this.#reasons.add(`messages ${from} to ${to - 1} are missing after ${segmentName(this.#near)}`)
  }

  #blame(number: number, how: string): void {
    this.#blamed.add(number)
    this.#reasons.add(`${segmentName(number)} ${how}`)
  }

  /** Names the segments of a range that are not there. */
  #blameMissing(from: number, to: number): void {
    const most = Math.min(to, from + maxNamed)
    for (let number = from; number <= most; number++) if (!this.#numbers.includes(number)) this.#blame(number, 'is missing')
  }
}
