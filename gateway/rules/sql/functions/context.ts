// What a statement can ask about its message: who sent it, over what, when, and what the topic says [AWS iot-sql-functions].
import { hash } from 'node:crypto'
import type { Message } from '../../../message/message.ts'
import { toUuid, traceIdOf } from '../../../message/trace.ts'
import type { Scope } from '../scope.ts'
import { toIndex, type Value } from '../value.ts'
import type { FunctionTable, Site } from './table.ts'

export const context = {
  accountid: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'The account that owns the rule: twelve digits.',
    examples: [],
    call: (_args, { accountId }) => accountId,
  },
  clientid: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'The MQTT client id of the sender; `n/a` where the message did not come over MQTT.',
    examples: [],
    call: (_args, { message }) => (overMqtt(message) ? message.source.clientId : 'n/a'),
  },
  get_mqtt_property: {
    params: 'String',
    arity: [1, 1],
    dependsOn: 'message',
    summary: 'An MQTT 5 property of the message: content_type, format_indicator, response_topic or correlation_data (base64).',
    examples: [
      ["get_mqtt_property('content_type')", 'undefined'],
      ["get_mqtt_property('format_indicator')", "'UNSPECIFIED_BYTES'"],
    ],
    call: ([name], { message }) => mqttProperty(name, message),
  },
  get_user_properties: {
    params: '[String]',
    arity: [0, 1],
    dependsOn: 'message',
    summary:
      'The values of an MQTT 5 user property, or all of them as objects; always an Array, and Undefined for a name that is not there.',
    examples: [["get_user_properties('absent')", 'undefined']],
    call: (args, { message }) => {
      const properties = message.properties?.userProperties
      if (args.length === 0) return properties?.map(([name, value]) => ({ [name]: value }))
      const values = properties?.filter(([name]) => name === args[0]).map(([, value]) => value)
      return values?.length ? values : undefined
    },
  },
  newuuid: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'A random UUID. It follows from the message, so a message that is replayed after a crash gets the same one.',
    examples: [['length(newuuid())', '36']],
    call: (_args, scope, site) => uuid(entropy(scope, site)),
  },
  principal: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'The identity that published: certificate id or user.',
    examples: [],
    call: (_args, { message }) => message.source.principal,
  },
  rand: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'A number from 0 up to 1, all equally likely. It follows from the message, as newuuid() does.',
    examples: [
      ['rand() >= 0', 'true'],
      ['rand() < 1', 'true'],
    ],
    call: (_args, scope, site) => entropy(scope, site).readUIntBE(0, 6) / 2 ** 48,
  },
  sourceip: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'The IP address of the sender; Undefined for a message that a rule republished.',
    examples: [],
    since: '2016-03-23',
    call: (_args, { message }) => message.source.sourceIp,
  },
  sql_version: {
    params: '',
    arity: [0, 0],
    dependsOn: 'arguments',
    summary: 'The SQL version of the rule.',
    examples: [['sql_version()', "'2016-03-23'"]],
    call: (_args, _scope, { version }) => version,
  },
  timestamp: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'When the gateway received the message, in milliseconds since 1970; a message that is replayed after a crash keeps its time.',
    examples: [['timestamp() > 0', 'true']],
    call: (_args, { message }) => message.receivedAt,
  },
  topic: {
    params: '[Int]',
    arity: [0, 1],
    dependsOn: 'topic',
    summary: 'The topic without a Basic Ingest prefix, or one of its levels, the first being 1; Undefined beyond the last (U-35).',
    examples: [
      ['topic()', "'dt/line/7'"],
      ['topic(2)', "'line'"],
      ['topic(9)', 'undefined'],
    ],
    call: (args, { topic }) => {
      if (args.length === 0) return topic
      const level = toIndex(args[0])
      return level === undefined ? undefined : levelOf(topic, level)
    },
  },
  traceid: {
    params: '',
    arity: [0, 0],
    dependsOn: 'message',
    summary: 'The UUID of an MQTT message, for finding it in logs; Undefined where the message did not come over MQTT.',
    examples: [],
    call: (_args, { message }) => (overMqtt(message) ? traceIdOf(message) : undefined),
  },
} as const satisfies FunctionTable

/** `split` would make every level, for each message and each call. */
function levelOf(topic: string, level: number): string | undefined {
  if (level < 1) return undefined
  let start = 0
  for (let i = 1; i < level; i++) {
    start = topic.indexOf('/', start) + 1
    if (start === 0) return undefined
  }
  const end = topic.indexOf('/', start)
  return topic.slice(start, end === -1 ? topic.length : end)
}

function overMqtt({ source }: Message): boolean {
  return source.transport.startsWith('mqtt') || source.transport === 'upstream'
}

function mqttProperty(name: Value, { properties = {} }: Message): Value {
  if (name === 'content_type') return properties.contentType
  if (name === 'format_indicator') return properties.payloadFormatIndicator ? 'UTF8_DATA' : 'UNSPECIFIED_BYTES'
  if (name === 'response_topic') return properties.responseTopic
  if (name === 'correlation_data') return properties.correlationData && Buffer.from(properties.correlationData).toString('base64')
  return undefined
}

/** Bytes nobody can tell from random ones, new for every evaluation of every place in every statement, and the same on a replay (U-38). */
function entropy(scope: Scope, site: Site): Buffer {
  const calls = scope.remember(site, () => ({ count: 0 }))
  return hash('sha256', `${scope.message.id} ${site.pos} ${calls.count++} ${site.sql}`, 'buffer')
}

/** Version 4, variant 1 [RFC 9562]. */
function uuid(bytes: Buffer): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return toUuid(bytes.toString('hex', 0, 16))
}
