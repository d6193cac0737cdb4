// Compares the CPU per message of another checkout with this one:
//   node test/bench/pairs.ts --before ../weir-before --case acknowledged --pairs 10
// Each pair starts both gateways and gives them load in turns, a slice at a time, so both meet the same noise of the machine.
// Prints each pair, then the median of the ratios now/before and its 95 % interval.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runLoad, type Server, startGateway, startSqs } from './gateway.ts'

interface Case {
  begin(root: string, sqsEndpoint: string): Promise<Server>
  readonly topic: string
  readonly inFlight: number
  /** Messages of a slice. */
  readonly count: number
  readonly delivers: boolean
}

const cases: Readonly<Record<string, Case>> = {
  acknowledged: {
    begin: (root) => startGateway({ spool: { kind: 'file' } }, undefined, root),
    ...{ topic: 'unwanted/coldchain', inFlight: 10, count: 150_000, delivers: false },
  },
  packed: {
    begin: (root, endpoint) => startGateway({ aws: { endpoint } }, {}, root),
    ...{ topic: 'dt/coldchain', inFlight: 50, count: 80_000, delivers: true },
  },
}

const { values } = parseArgs({
  options: {
    before: { type: 'string' },
    case: { type: 'string', default: 'acknowledged' },
    pairs: { type: 'string', default: '10' },
    slices: { type: 'string', default: '6' },
  },
})
const chosen = cases[values.case]
if (values.before === undefined || !chosen) {
  const names = Object.keys(cases).join(', ')
  console.error(`--before takes the directory of the checkout to compare with, after \`npm ci\` in it; --case takes one of ${names}`)
  process.exit(2)
}
const directories = { before: resolve(values.before), now: resolve(import.meta.dirname, '../..') }
const [pairs, slices] = [Number(values.pairs), Number(values.slices)]

interface Side {
  readonly server: Server
  sent: number
  cpu: number
}

/** Gives one gateway a slice of load and adds what it cost. */
async function slice(side: Side, { topic, inFlight, count, delivers }: Case) {
  side.server.cpuSeconds()
  await runLoad({ port: side.server.ports.mqtt!, connections: 50, topic, inFlight, count })
  side.sent += count
  if (delivers) await side.server.delivered(side.sent)
  side.cpu += side.server.cpuSeconds()
}

/** CPU µs per message of both, without the first slice of each, which warms up. */
async function measure(pair: number): Promise<{ before: number; now: number }> {
  await using sqs = await startSqs()
  const begin = async (root: string): Promise<Side> => ({
    server: await chosen!.begin(root, `http://127.0.0.1:${sqs.ports.sqs}`),
    ...{ sent: 0, cpu: 0 },
  })
  const before = await begin(directories.before)
  await using _before = before.server
  const now = await begin(directories.now)
  await using _now = now.server
  for (const side of [before, now]) {
    await slice(side, chosen!)
    side.cpu = 0
  }
  for (let i = 0; i < slices; i++) {
    const order = (pair + i) % 2 === 0 ? [before, now] : [now, before]
    for (const side of order) await slice(side, chosen!)
  }
  const micros = ({ cpu }: Side) => (cpu / (slices * chosen!.count)) * 1e6
  return { before: micros(before), now: micros(now) }
}

/** The order statistics between which the median lies with at least 95 % probability. */
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

const ratios: number[] = []
for (let pair = 1; pair <= pairs; pair++) {
  const { before, now } = await measure(pair)
  ratios.push(now / before)
  console.log(`${pair}  ${values.case}: ${before.toFixed(2)} → ${now.toFixed(2)} CPU µs/message`)
}
const sorted = ratios.toSorted((a, b) => a - b)
const median = (sorted[Math.floor((pairs - 1) / 2)]! + sorted[Math.ceil((pairs - 1) / 2)]!) / 2
const percent = (ratio: number) => `${ratio < 1 ? '' : '+'}${((ratio - 1) * 100).toFixed(1)} %`
const [low, high] = medianInterval(sorted)
console.log(`${values.case}: median ${percent(median)}, 95 % interval ${percent(low)} to ${percent(high)}, ${pairs} pairs`)
