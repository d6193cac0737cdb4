// How the language says what is wrong with a statement: the place, what was expected, and the likely spelling.
import { GatewayError } from '../../errors.ts'

/** Throws SQL_INVALID with line and column (both from 1) in front of the sentence. */
export function refuse(sql: string, pos: number, reason: string): never {
  const before = sql.slice(0, pos).split('\n')
  const line = before.length
  const column = before[line - 1]!.length + 1
  throw new GatewayError('SQL_INVALID', `line ${line}, column ${column}: ${reason}`, { details: { line, column } })
}

/** ` Did you mean …?` for the nearest known word, or nothing where none is near. */
export function hint(word: string, known: Iterable<string>): string {
  const wanted = word.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase(), least)
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best === undefined ? '' : ` Did you mean ${best}?`
}

/** Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment). */
function editDistance(a: string, b: string, atMost: number): number {
  if (Math.abs(a.length - b.length) >= atMost) return atMost
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)])
  for (let j = 1; j <= b.length; j++) rows[0]![j] = j
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, rows[i - 2]![j - 2]! + 1)
      rows[i]![j] = cost
    }
  }
  return rows[a.length]![b.length]!
}
