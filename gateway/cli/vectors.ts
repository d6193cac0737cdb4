// One conformance vector in, one answer out: a statement or a template, the message it sees, and nothing guessed about the result.
import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { Message, MqttProperties } from '../message/message.ts'
import { sqlVersions } from '../rules/sql/ast.ts'
import { parseJson } from '../rules/sql/json.ts'
import { wholeAsDecimal } from '../rules/sql/number.ts'
import { createScope, type Scope } from '../rules/sql/scope.ts'
import { compileStatement } from '../rules/sql/statement.ts'
import { compileTemplate } from '../rules/sql/template.ts'
import { member, type Value } from '../rules/sql/value.ts'
import { matches } from '../rules/topic/filter.ts'

const mqtt5 = z.strictObject({
  contentType: z.string().optional(),
  payloadFormatIndicator: z.enum(['UNSPECIFIED_BYTES', 'UTF8_DATA']).optional(),
  responseTopic: z.string().optional(),
  correlationData: z.string().optional(),
  userProperties: z.array(z.tuple([z.string(), z.string()])).optional(),
})

const context = z.strictObject({
  protocol: z.enum(['mqtt', 'http']).optional(),
  accountId: z.string().optional(),
  principal: z.string().optional(),
  sourceIp: z.string().optional(),
  nowMs: z.number().optional(),
  mqtt5: mqtt5.optional(),
})

const vectorSchema = z.strictObject({
  id: z.string(),
  section: z.string().optional(),
  source: z.string().optional(),
  sql: z.string().optional(),
  expr: z.string().optional(),
  template: z.string().optional(),
  field: z.literal('republish.topic').optional(),
  sqlVersion: z.enum(sqlVersions).optional(),
  topic: z.string(),
  ruleName: z.string().optional(),
  clientId: z.string().optional(),
  payload: z.custom<Value>().optional(),
  payloadBase64: z.base64().optional(),
  context: context.optional(),
  expect: z.unknown().optional(),
})

export type Vector = z.infer<typeof vectorSchema>

/** Throws CONFIG_INVALID for anything that is not a vector, an unknown field included. */
export function parseVector(line: string): Vector {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    throw new GatewayError('CONFIG_INVALID', 'a vector is one line of JSON, and this line is not')
  }
  const parsed = vectorSchema.safeParse(json)
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues as [z.core.$ZodIssue, ...z.core.$ZodIssue[]]
    throw new GatewayError('CONFIG_INVALID', `the vector ${idOf(json)} is not valid at ${path.join('.') || 'its top'}: ${message}`)
  }
  const vector = parsed.data
  const kinds = [vector.sql, vector.expr, vector.template].filter((text) => text !== undefined).length
  if (kinds !== 1 && !(kinds === 2 && vector.sql !== undefined && vector.template !== undefined)) {
    throw new GatewayError('CONFIG_INVALID', `the vector ${vector.id} needs exactly one of sql, expr and template`)
  }
  if ((vector.payload === undefined) === (vector.payloadBase64 === undefined)) {
    throw new GatewayError('CONFIG_INVALID', `the vector ${vector.id} needs exactly one of payload and payloadBase64`)
  }
  // The payload's numbers keep their digits, and `10.0` its form: both are part of what a vector checks.
  const payload = member(parseJson(line, wholeAsDecimal), 'payload')
  return payload === undefined ? vector : { ...vector, payload }
}

function idOf(json: unknown): string {
  return JSON.stringify((json as { id?: unknown } | null)?.id ?? 'without id')
}

/** One line of JSON: `{id, match, output, outputBase64, outputEmpty, undefinedKeys, parseError, value}`, the fields that apply. */
export function answerVector(vector: Vector): string {
  try {
    return vector.template === undefined ? answerStatement(vector) : answerTemplate(vector, vector.template)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const reason = error.code === 'SQL_INVALID' ? { parseError: true } : {}
    return JSON.stringify({ id: vector.id, ...reason, error: error.message })
  }
}

function answerStatement(vector: Vector): string {
  const { id, sqlVersion = '2016-03-23', expr, topic } = vector
  const statement = compileStatement(vector.sql ?? `SELECT ${expr} AS r FROM '${topic}'`, { version: sqlVersion })
  if (!reaches(statement.filter, vector)) return JSON.stringify({ id, match: false })
  return answer(id, statement.inspect(scopeOf(vector)))
}

function answer(id: string, { matched, body, raw, undefinedKeys }: ReturnType<ReturnType<typeof compileStatement>['inspect']>): string {
  if (!matched || body === undefined) return JSON.stringify({ id, match: false })
  if (body.length === 0) return JSON.stringify({ id, match: true, outputEmpty: true })
  if (raw) return JSON.stringify({ id, match: true, outputBase64: Buffer.from(body).toString('base64') })
  const absent = undefinedKeys.length === 0 ? '' : `,"undefinedKeys":${JSON.stringify(undefinedKeys)}`
  // The body as it is: a number in it may have more digits than a parse and a print would leave.
  return `{"id":${JSON.stringify(id)},"match":true,"output":${Buffer.from(body).toString()}${absent}}`
}

function answerTemplate(vector: Vector, template: string): string {
  const statement = compileStatement(vector.sql ?? `SELECT * FROM '${vector.topic}'`, { version: vector.sqlVersion ?? '2016-03-23' })
  const value = compileTemplate(template, { statement })(scopeOf(vector))
  return JSON.stringify({ id: vector.id, value: vector.field === 'republish.topic' ? value.replace(/^\$\$/, '$') : value })
}

/** By its FROM, or by its name through Basic Ingest, where FROM does not count (U-8). */
function reaches(filter: string | undefined, { topic, ruleName }: Vector): boolean {
  const named = /^\$aws\/rules\/([^/]+)\//.exec(topic)?.[1]
  if (named !== undefined) return ruleName === undefined || named === ruleName
  return filter !== undefined && matches(filter, topic)
}

function scopeOf({ id, topic, payload, payloadBase64, clientId = 'vector', context: facts = {} }: Vector): Scope {
  const { protocol = 'mqtt', principal, sourceIp, nowMs = 0, accountId = '000000000000', mqtt5: properties } = facts
  const message: Message = {
    id,
    topic,
    payload: payloadBase64 === undefined ? Buffer.from(JSON.stringify(payload)) : Buffer.from(payloadBase64, 'base64'),
    qos: 0,
    retain: false,
    receivedAt: nowMs,
    source: { clientId, transport: protocol, ...(principal !== undefined && { principal }), ...(sourceIp !== undefined && { sourceIp }) },
    hops: 0,
    ...(properties && { properties: propertiesOf(properties) }),
  }
  return createScope(message, { accountId })
}

function propertiesOf({ payloadFormatIndicator, correlationData, ...rest }: z.infer<typeof mqtt5>): MqttProperties {
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return {
    ...known,
    ...(payloadFormatIndicator && { payloadFormatIndicator: payloadFormatIndicator === 'UTF8_DATA' }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData, 'base64') }),
  }
}
