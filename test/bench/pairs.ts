// CPU per message of another checkout and of this one, in alternated runs:
//   node test/bench/pairs.ts --before ../weir-before --only '50 connections × 10 in flight: spool file' --pairs 10
// Prints each pair, then the median of the ratios now/before and its 95 % interval. Alternation cancels what the machine does meanwhile.
import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Row } from './bench.ts'

const { values } = parseArgs({
  options: { before: { type: 'string' }, only: { type: 'string', default: '' }, pairs: { type: 'string', default: '10' } },
})
if (values.before === undefined) {
  console.error('--before is missing: give the directory of the checkout to compare with, after `npm ci` in it')
  process.exit(2)
}

const now = resolve(import.meta.dirname, '../..')
const before = resolve(values.before)
const pairs = Number(values.pairs)

/** CPU µs for a message, by the name of the row. */
function measure(directory: string): ReadonlyMap<string, number> {
  const bench = JSON.stringify(join(directory, 'test/bench/gateway.ts'))
  const options = JSON.stringify({ quick: true, only: values.only })
  const program = `import { gateway } from ${bench}; console.log('\\n' + JSON.stringify(await gateway.run(${options})))`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const rows = JSON.parse(out.toString().trim().split('\n').at(-1)!) as Row[]
  return new Map(rows.flatMap(({ what, 'CPU µs/message': cpu }) => (cpu === undefined || what.includes('aedes') ? [] : [[what, cpu]])))
}

/**
 * The order statistics between which the median lies with at least 95 % probability: the widest whose binomial tails
 * stay below 2.5 % each.
 */
function medianInterval(sorted: readonly number[]): readonly [number, number] {
  const n = sorted.length
  let probability = 0.5 ** n
  let tail = 0
  let rank = 0
  while (tail + probability < 0.025) {
    tail += probability
    probability *= (n - rank) / (rank + 1)
    rank++
  }
  const low = Math.max(0, rank - 1)
  return [sorted[low]!, sorted[n - 1 - low]!]
}

const ratios = new Map<string, number[]>()
for (let pair = 1; pair <= pairs; pair++) {
  // Each is first in every other pair.
  const order = pair % 2 === 1 ? [before, now] : [now, before]
  const measured = new Map(order.map((directory) => [directory, measure(directory)]))
  for (const [what, cpu] of measured.get(now)!) {
    const old = measured.get(before)!.get(what)
    if (old === undefined) continue
    ratios.set(what, [...(ratios.get(what) ?? []), cpu / old])
    console.log(`${pair}  ${what}: ${old} → ${cpu} CPU µs/message`)
  }
}
for (const [what, all] of ratios) {
  const sorted = all.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
  const percent = (ratio: number) => `${ratio < 1 ? '' : '+'}${((ratio - 1) * 100).toFixed(1)} %`
  const [low, high] = medianInterval(sorted)
  console.log(`${what}: median ${percent(median)}, 95 % interval ${percent(low)} to ${percent(high)}, ${sorted.length} pairs`)
}
