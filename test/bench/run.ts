// `npm run bench`: every bench in turn, one table at the end. `npm run bench -- gateway --quick` runs one of them, briefly,
// and `--only 'into SQS'` the rows with that text.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { actions } from './actions.ts'
import type { Bench, Row } from './bench.ts'
import { gateway } from './gateway.ts'
import { upstream } from './upstream.ts'

/** Prints lines of its own: nanoseconds beside JSON.parse and JSONata are another kind of row. */
const rules: Bench = {
  summary: 'AWS IoT SQL on one core, and the topic tree',
  async run() {
    await import('./rules.bench.ts')
    return []
  },
}

/** A new bench is a file that exports a Bench, and a line here. */
const benches = { gateway, actions, rules, upstream } as const satisfies Record<string, Bench>

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
})
const unknown = positionals.filter((name) => !(name in benches))
if (unknown.length > 0) {
  console.error(`no bench is called ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}

console.error(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`)
const rows: (Row & { readonly bench: string })[] = []
for (const [name, bench] of Object.entries(benches)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  console.error(`${name}: ${bench.summary}`)
  for (const row of await bench.run(values)) rows.push({ bench: name, ...row })
}
console.table(rows)
