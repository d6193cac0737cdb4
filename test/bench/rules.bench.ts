// Evaluations and matches per second, beside JSONata doing the same. A plain script: node test/bench/rules.bench.ts
import jsonata from 'jsonata'
import { createScope } from '../../gateway/rules/sql/scope.ts'
import { compileStatement } from '../../gateway/rules/sql/statement.ts'
import { createTopicTree } from '../../gateway/rules/topic/tree.ts'

const payload = Buffer.from(
  JSON.stringify({
    device: 'freezer-0042',
    temperature: 63.25,
    humidity: 41.7,
    door: 'closed',
    battery: { volts: 3.61, percent: 87 },
    position: { lat: 47.6062, lon: -122.3321 },
    sequence: 184467,
    boot: 'b7f1',
    ts: 1760000000000,
  }),
)
const message = { id: 'bench', topic: 'dt/a/telemetry', payload, qos: 0, retain: false, receivedAt: 0, hops: 0 } as const
const full = { ...message, source: { clientId: 'device', transport: 'mqtt' } } as const
const environment = { accountId: '123456789012' }
const sql = "SELECT temperature, device FROM 'dt/+/telemetry' WHERE temperature > 50"

/** The fastest of many short rounds: the figure least disturbed by whatever else the machine does. */
async function fastest(run: () => unknown, perRound = 2_000, rounds = 150): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < perRound; i++) {
      const result = run()
      if (result instanceof Promise) await result
    }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / perRound)
  }
  return best
}

function report(name: string, ns: number, base: number): void {
  const rate = Math.round(1e9 / ns).toLocaleString('en')
  process.stdout.write(
    `${name.padEnd(44)} ${ns.toFixed(0).padStart(7)} ns ${rate.padStart(13)}/s   ${(ns / base).toFixed(2)} × JSON.parse\n`,
  )
}

async function evaluations(): Promise<void> {
  const lean = compileStatement(sql)
  const general = compileStatement(sql, { fastPaths: false })
  const all = compileStatement("SELECT * FROM 'dt/+/telemetry' WHERE temperature > 50")
  const peer = jsonata('temperature > 50 ? {"temperature": temperature, "device": device} : null')
  const parse = await fastest(() => JSON.parse(payload.toString()))
  process.stdout.write(`${payload.length} bytes; ${sql}\n`)
  report('JSON.parse alone', parse, parse)
  report('Weir, fields found in the bytes', await fastest(() => lean.evaluate(createScope(full, environment))), parse)
  report('Weir, general: parse, filter, project, print', await fastest(() => general.evaluate(createScope(full, environment))), parse)
  report('Weir, SELECT *', await fastest(() => all.evaluate(createScope(full, environment))), parse)
  const transform = async () => JSON.stringify(await peer.evaluate(JSON.parse(payload.toString())))
  report('JSONata: parse, filter, project, print', await fastest(transform, 500, 40), parse)
}

async function matching(): Promise<void> {
  process.stdout.write('\nmatching one topic against n rules; 1,000 topics seen before, and 50,000 that keep coming anew\n')
  for (const rules of [10, 1_000, 100_000]) {
    const tree = createTopicTree<number>()
    for (let i = 0; i < rules; i++) tree.add(i % 3 === 0 ? `dt/tenant-${i}/#` : `dt/tenant-${i}/+/telemetry`, i)
    const topics = Array.from({ length: 50_000 }, (_, i) => `dt/tenant-${i % 10}/device-${i}/telemetry`)
    let next = 0
    const known = await fastest(() => tree.match(topics[next++ % 1_000]!))
    const fresh = await fastest(() => tree.match(topics[next++ % 50_000]!))
    process.stdout.write(
      `${String(rules).padStart(8)} rules   known ${known.toFixed(0).padStart(5)} ns   fresh ${fresh.toFixed(0).padStart(5)} ns\n`,
    )
  }
}

await evaluations()
await matching()
