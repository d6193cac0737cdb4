// Which queues have a Lambda function behind them: the consumers of a gateway config, as far as Lambda can do what they say.
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { type ConsumerConfig, consumerSchema } from '../gateway/consume/consumer-config.ts'
import { GatewayError, invalidConfig } from '../gateway/errors.ts'
import { parseAs } from '../lib/problems.ts'
import { root } from './bundle.ts'

/** A consumer, and the module that Lambda calls. */
export interface Deployed {
  readonly config: ConsumerConfig
  readonly entry: string
}

const fileSchema = z.object({ consumers: z.array(consumerSchema) })

export function readConsumers(path: string): readonly Deployed[] {
  const { consumers } = parseAs(fileSchema, JSON.parse(readFileSync(path, 'utf8')), path, invalidConfig)
  return consumers.map((config, index) => deploy(config, dirname(path), `${path}: consumers[${index}]`))
}

function deploy(config: ConsumerConfig, directory: string, at: string): Deployed {
  const refuse = (what: string, why: string) => new GatewayError('CONFIG_INVALID', `${at}: ${what} cannot be deployed: ${why}`)
  if (config.rate !== undefined)
    throw refuse('rate', 'Lambda paces by concurrency only; take it from the queue with `weir consume` instead')
  if (config.sideline) throw refuse('sideline', 'Lambda has received a message before it could be put aside; use `weir consume` instead')
  if (config.deadLetterQueue !== undefined) throw refuse('deadLetterQueue', 'it is always the one that resources.json gives the queue')
  return { config, entry: entryOf(config, directory, refuse) }
}

type Refuse = (what: string, why: string) => GatewayError

function entryOf({ handler }: ConsumerConfig, directory: string, refuse: Refuse): string {
  const wrap = "import { createConsumer } from './infra/lambda/consume.ts'"
  if (handler.kind === 'module') {
    const path = JSON.stringify(`./${relative(root, join(directory, handler.path))}`)
    return `${wrap}\nimport { ${handler.export} as handle } from ${path}\nexport const handler = createConsumer(handle)\n`
  }
  if (handler.kind === 'ndjson') throw refuse('handler ndjson', 'a function has no disk that stays')
  const { kind, ...params } = handler
  return [
    wrap,
    `import { ${kind} } from './gateway/consume/handlers/${kind}.ts'`,
    "import { systemClock as clock } from './lib/clock.ts'",
    `const { handle } = await ${kind}.bind(${JSON.stringify(params)}, { clock, fetch, print: console.log, directory: '.' })`,
    'export const handler = createConsumer(handle)\n',
  ].join('\n')
}
