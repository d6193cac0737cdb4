// How a cost question can fail to have an answer, and the exit code each way deserves.

/** The message is one sentence for the person at the terminal. `exitCode`: 1 a price is missing, 2 the input was wrong. */
export class CostError extends Error {
  override readonly name = 'CostError'
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 2, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** No source gave this price: whatever needs it has no total, because a bill with a hole in it is not a bill. */
export class PriceMissing extends CostError {
  readonly item: string

  constructor(item: string, region: string, note?: string) {
    super(`${region} has no price for ${item}${note ? ` (${note})` : ''}`, 1)
    this.item = item
  }
}

/** `did you mean "payloadBytes"?`, or the whole list where nothing known is near. */
export function nearest(given: string, known: readonly string[]): string {
  const ranked = known.map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
  const best = ranked.sort((a, b) => a.distance - b.distance)[0]
  if (best && best.distance <= Math.max(2, best.name.length / 3)) return `did you mean "${best.name}"?`
  return `known are ${known.join(', ')}`
}

/** Levenshtein's, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}
