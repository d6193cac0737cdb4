// Rules under test: a folder per case, with a rule, the messages that go in and what must come out.
//
//   <case>/rule.json      a rule file, or { "file": "../../rules/telemetry.json" } for one that lives elsewhere
//   <case>/in/hot.json    { "topic": …, "payload": … }, a message
//   <case>/out/hot.json   { "match": false }, or { "output": …, "actions": [ … ] } with the templates of the actions filled
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { readJsonFile } from '../../lib/json-file.ts'
import { parseAs } from '../../lib/problems.ts'
import { GatewayError } from '../errors.ts'
import { bytesOf } from '../message/body.ts'
import type { Message } from '../message/message.ts'
import { invalidRule, type LoadedRule, parseRule } from './load.ts'
import { createScope } from './sql/scope.ts'
import { compileTemplate } from './sql/template.ts'
import { matches } from './topic/filter.ts'

const messageSchema = z
  .strictObject({
    topic: z.string().min(1),
    payload: z.json().optional().describe('sent as compact JSON'),
    payloadText: z.string().optional(),
    payloadBase64: z.base64().optional(),
    clientId: z.string().default('device-1'),
    principal: z.string().optional(),
    sourceIp: z.string().optional(),
    receivedAt: z
      .union([z.iso.datetime(), z.int()])
      .default('2026-01-01T00:00:00Z')
      .describe('what timestamp() says: ISO time or milliseconds'),
    id: z.string().default('01KDVDE4000000000000000000'),
  })
  .refine((message) => ['payload', 'payloadText', 'payloadBase64'].filter((key) => key in message).length === 1, {
    error: 'needs exactly one of payload, payloadText and payloadBase64',
  })

const expectationSchema = z.union([
  z.strictObject({ match: z.literal(false) }),
  z.strictObject({
    match: z.literal(true).optional(),
    output: z.json().optional(),
    outputBase64: z.base64().optional(),
    actions: z.array(z.record(z.string(), z.record(z.string(), z.json()))).optional(),
  }),
])

type Expectation = z.infer<typeof expectationSchema>

export interface FixtureResult {
  /** `<case>/<message>`. */
  readonly name: string
  readonly passed: boolean
  readonly expected: unknown
  /** Of what was expected, the same parts as they came out. */
  readonly actual: unknown
}

const accountId = '000000000000'

/** Every message of every case below a directory, in the order of the names. Throws RULE_INVALID where a file cannot be used. */
export async function runFixtures(dir: string): Promise<readonly FixtureResult[]> {
  const results: FixtureResult[] = []
  for (const name of await casesIn(dir)) results.push(...(await runCase(dir, name)))
  if (results.length === 0) throw new GatewayError('RULE_INVALID', `${dir}: no case here; a case is a folder with rule.json, in/ and out/`)
  return results
}

async function runCase(dir: string, name: string): Promise<readonly FixtureResult[]> {
  const folder = join(dir, name)
  const rule = await readCaseRule(folder)
  const results: FixtureResult[] = []
  for (const file of (await readdir(join(folder, 'in'))).filter((file) => file.endsWith('.json')).sort()) {
    const message = toMessage(await readAs(messageSchema, join(folder, 'in', file)))
    const expected = await readAs(expectationSchema, join(folder, 'out', file))
    const actual = partsOf(outcomeOf(rule, message), expected)
    results.push({ name: `${name}/${file.replace(/\.json$/, '')}`, passed: same(actual, expected), expected, actual })
  }
  return results
}

interface Outcome {
  readonly match: boolean
  readonly output?: unknown
  readonly outputBase64?: string
  readonly actions?: readonly unknown[]
}

function outcomeOf({ file, statement }: LoadedRule, message: Message): Outcome {
  const scope = createScope(message, { accountId })
  const named = message.topic.startsWith(`$aws/rules/${file.name}/`)
  const reached = named || (statement.filter !== undefined && matches(statement.filter, message.topic))
  const body = reached ? statement.evaluate(scope) : undefined
  if (body === undefined) return { match: false }
  const bytes = bytesOf(body)
  return {
    match: true,
    output: parsed(bytes),
    outputBase64: bytes.toString('base64'),
    actions: file.actions.map((action) => fill(action, (text) => compileTemplate(text, { statement })(scope))),
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return { notJson: bytes.toString() }
  }
}

function fill(value: unknown, template: (text: string) => string): unknown {
  if (typeof value === 'string') return template(value)
  if (Array.isArray(value)) return value.map((item) => fill(item, template))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, template)]))
}

/** Of what came out, the parts that the expectation speaks of: the output whole, of the actions what is named. */
function partsOf(actual: Outcome, expected: Expectation): unknown {
  const { output: _, ...rest } = expected as { readonly output?: unknown }
  const parts = pick(actual, rest) as object
  return 'output' in expected ? { ...parts, output: actual.output } : parts
}

function pick(actual: unknown, expected: unknown): unknown {
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) return actual
  if (Array.isArray(actual)) return actual.map((item, index) => pick(item, (expected as readonly unknown[])[index]))
  const entries = Object.keys(expected).filter((key) => Object.hasOwn(actual, key))
  return Object.fromEntries(
    entries.map((key) => [key, pick((actual as Record<string, unknown>)[key], (expected as Record<string, unknown>)[key])]),
  )
}

/** JSON equality: the order of keys does not matter, the order of items does. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}

async function casesIn(dir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true })
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort()
  } catch (error) {
    throw new GatewayError('RULE_INVALID', `${dir}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

async function readCaseRule(folder: string): Promise<LoadedRule> {
  const path = join(folder, 'rule.json')
  const json = await readJsonFile(path, invalidRule)
  const elsewhere = z.strictObject({ file: z.string() }).safeParse(json)
  if (!elsewhere.success) return parseRule(path, json)
  const file = resolve(folder, elsewhere.data.file)
  return parseRule(file, await readJsonFile(file, invalidRule))
}

async function readAs<T extends z.ZodType>(schema: T, path: string): Promise<z.output<T>> {
  return parseAs(schema, await readJsonFile(path, invalidRule), path, invalidRule)
}

function toMessage({
  topic,
  payload,
  payloadText,
  payloadBase64,
  clientId,
  principal,
  sourceIp,
  receivedAt,
  id,
}: z.infer<typeof messageSchema>): Message {
  const bytes = payloadBase64 !== undefined ? Buffer.from(payloadBase64, 'base64') : Buffer.from(payloadText ?? JSON.stringify(payload))
  return {
    id,
    topic,
    payload: bytes,
    qos: 1,
    retain: false,
    receivedAt: typeof receivedAt === 'number' ? receivedAt : Date.parse(receivedAt),
    source: {
      clientId,
      transport: 'mqtt',
      ...(principal === undefined ? {} : { principal }),
      ...(sourceIp === undefined ? {} : { sourceIp }),
    },
    hops: 0,
  }
}
