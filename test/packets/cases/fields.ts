// What stands in packets beside properties: identifiers, topics, filters, options, reason codes, and the fields of CONNECT.
import * as write from '../write.ts'
import { after, badStrings, type Case, first, hex, oddStrings, versions } from './case.ts'

const all = (count: number) => Array.from({ length: count }, (_, i) => i)

export function fieldCases(): readonly Case[] {
  return [
    ...versions.flatMap((version) => [
      ...publishCases(version),
      ...filterCases(version),
      ...connectCases(version),
      ...stringCases(version),
      ...orderCases(version),
    ]),
    ...reasonCases(),
    ...aliasCases(),
    ...protocolCases(),
  ]
}

const topics: readonly string[] = [
  '',
  '/',
  '//',
  '+',
  '#',
  'a/+',
  'a/#',
  'a+b',
  'a#',
  '+/a',
  ' ',
  'a\u0001',
  '\u007f',
  '\uffff',
  'a\ufdd0',
  ...oddStrings,
]

function publishCases(version: 4 | 5): readonly Case[] {
  return [
    ...topics.map((topic) => after(version, `PUBLISH to ${JSON.stringify(topic)}`, write.publish(version, { topic }))),
    ...all(16).map((flags) =>
      after(version, `PUBLISH with packet id 0 and flags ${hex(flags)}`, write.publish(version, { flags, packetId: 0 })),
    ),
    after(version, 'PUBLISH without payload', write.publish(version, { qos: 0, payload: '' })),
    after(version, 'PUBLISH of QoS 1 without packet id', write.packet('PUBLISH', write.text('ab'), 2)),
    after(version, 'one packet id twice', write.publish(version), write.publish(version)),
    ...(['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'] as const).map((name) =>
      after(version, `${name} with packet id 0`, write.answer(name, version, undefined, 0, 0)),
    ),
  ]
}

const filters: readonly string[] = [
  ...['', '#', '+', '/', '+/+', 's/#', '#/s', 's/#/t', 's#', 's+', '+s', 's/+t', '##', '++', 's/\u0001', 's/\uffff'],
  ...['$share/g/s', '$share/g', '$share/g/', '$share//s', '$share/', '$share', '$share/+/s', '$share/g#/s', '$share/g/s/#', '$share/g/s#'],
  ...oddStrings,
]

function filterCases(version: 4 | 5): readonly Case[] {
  const one = (name: string, fields: write.SubscribeFields) => after(version, `SUBSCRIBE ${name}`, write.subscribe(version, fields))
  return [
    ...filters.flatMap((filter) => [
      one(`to ${JSON.stringify(filter)}`, { filters: [[filter, 1]] }),
      one(`to one filter and ${JSON.stringify(filter)}`, {
        filters: [
          ['s/1', 0],
          [filter, 1],
        ],
      }),
      after(version, `UNSUBSCRIBE from ${JSON.stringify(filter)}`, write.unsubscribe(version, { filters: ['s/1', filter] })),
    ]),
    ...all(256).map((options) => one(`with options ${hex(options)}`, { filters: [['s/1', options]] })),
    ...all(16).map((options) => one(`to a group with options ${hex(options)}`, { filters: [['$share/g/s', options]] })),
    one('without filter', { filters: [] }),
    one('with packet id 0', { packetId: 0 }),
    after(version, 'UNSUBSCRIBE without filter', write.unsubscribe(version, { filters: [] })),
    after(version, 'UNSUBSCRIBE with packet id 0', write.unsubscribe(version, { packetId: 0 })),
  ]
}

/** Each has the fields that its flags announce. */
function connectCases(version: 4 | 5): readonly Case[] {
  // Each login that is legal costs the server a hash, so there are two of them.
  const isLogin = (flags: number) => {
    const isWill = flags & 4 ? (flags & 0x18) !== 0x18 : (flags & 0x38) === 0
    return flags >= (version === 4 ? 128 : 64) && (flags & 1) === 0 && isWill && ![0x82, 0xc2].includes(flags)
  }
  const flagged = all(256)
    .filter((flags) => !isLogin(flags))
    .map((flags) => {
      const has = (bit: number) => (flags & bit) > 0
      const fields = { ...(has(4) && { will: {} }), ...(has(128) && { user: 'u' }), ...(has(64) && { password: 'p' }) }
      return first(`CONNECT of MQTT ${version} with flags ${hex(flags)}`, write.connect(version, { ...fields, flags }))
    })
  const clientIds = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'prototype', '0', '-1']
  const make = () => write.connect(version, { will: {} })
  const bytes = make()
  /** Its first byte, a remaining length, and what follows. */
  const framed = (length: Buffer, body: Buffer) => Buffer.concat([Buffer.from([0x10]), length, body])
  return [
    ...flagged,
    ...clientIds.map((clientId) => first(`CONNECT of MQTT ${version} as ${clientId}`, write.connect(version, { clientId }))),
    ...['', 'é', 'a/b', 'a+b', '#', '\ufeff', 'x'.repeat(200)].flatMap((clientId) => [
      first(`CONNECT of MQTT ${version} as ${JSON.stringify(clientId)}`, write.connect(version, { clientId })),
      first(
        `CONNECT of MQTT ${version} as ${JSON.stringify(clientId)}, session kept`,
        write.connect(version, { clientId: clientId && `${clientId} kept`, flags: 0 }),
      ),
    ]),
    ...['', '+', 'a/#', 'a+', '/', 'a\u0001'].map((topic) =>
      first(`CONNECT of MQTT ${version} with a will for ${JSON.stringify(topic)}`, write.connect(version, { will: { topic } })),
    ),
    first(`CONNECT of MQTT ${version} with an empty will`, write.connect(version, { will: { payload: '' } })),
    ...all(bytes.length - 1).map((end) => first(`CONNECT of MQTT ${version}, only ${end + 1} bytes arrive`, bytes.subarray(0, end + 1))),
    ...all(bytes.length - 2).map((end) =>
      first(`CONNECT of MQTT ${version}, cut to ${end + 2} bytes`, framed(write.variable(end), bytes.subarray(2, end + 2))),
    ),
    ...[2, 3, 4, 5].map((count) => {
      const body = make().subarray(2)
      return first(`CONNECT of MQTT ${version}, remaining length in ${count} bytes`, framed(write.longVariable(body.length, count), body))
    }),
    ...all(16).map((flags) =>
      first(`CONNECT of MQTT ${version} with header flags ${hex(flags)}`, Buffer.concat([Buffer.from([0x10 | flags]), make().subarray(1)])),
    ),
    first(
      `CONNECT of MQTT ${version} with a trailing byte`,
      framed(write.variable(bytes.length - 1), Buffer.concat([bytes.subarray(2), Buffer.from([0])])),
    ),
  ]
}

/** Strings that are not UTF-8, in each string that is not a property. */
function stringCases(version: 4 | 5): readonly Case[] {
  return badStrings.flatMap(([what, bytes]) => [
    after(version, `PUBLISH to a topic with ${what}`, write.publish(version, { topic: bytes })),
    after(version, `PUBLISH at QoS 0 to a topic with ${what}`, write.publish(version, { topic: bytes, qos: 0 })),
    after(
      version,
      `SUBSCRIBE to a filter with ${what}`,
      write.subscribe(version, {
        filters: [
          ['s/1', 0],
          [bytes, 0],
        ],
      }),
    ),
    after(version, `UNSUBSCRIBE from a filter with ${what}`, write.unsubscribe(version, { filters: ['s/1', bytes] })),
    first(`client id of MQTT ${version} with ${what}`, write.connect(version, { clientId: bytes })),
    first(`user name of MQTT ${version} with ${what}`, write.connect(version, { user: bytes })),
    first(`will topic of MQTT ${version} with ${what}`, write.connect(version, { will: { topic: bytes } })),
    first(
      `will payload of MQTT ${version} with ${what}`,
      write.connect(version, { will: { payload: Buffer.concat([bytes, Buffer.from(write.unique('w'))]) } }),
    ),
    first(`protocol name of MQTT ${version} with ${what}`, write.connect(version, { protocol: bytes })),
    after(
      version,
      `PUBLISH of a payload with ${what}`,
      write.publish(version, { payload: Buffer.concat([bytes, Buffer.from(write.unique('p'))]) }),
    ),
  ])
}

/** Legal packets where they may not stand. */
function orderCases(version: 4 | 5): readonly Case[] {
  return [
    after(version, 'a second CONNECT', write.connect(version)),
    after(version, 'a second CONNECT of the other version', write.connect(version === 4 ? 5 : 4)),
    after(version, 'a PUBLISH behind a DISCONNECT', write.disconnect(version), write.publish(version)),
    after(version, 'a legal PUBLISH, then an illegal one', write.publish(version), write.publish(version, { topic: '#' })),
    after(version, 'an illegal PUBLISH, then a legal one', write.publish(version, { topic: '#' }), write.publish(version)),
    after(version, 'a SUBSCRIBE, then its own messages', write.subscribe(version, { filters: [['own/1', 1]] }), write.pingreq),
    first(`CONNECT of MQTT ${version} twice at once`, Buffer.concat([write.connect(version), write.connect(version)])),
  ]
}

function reasonCases(): readonly Case[] {
  const ids = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'] as const
  const withoutProperties = (name: (typeof ids)[number], reason: number) =>
    after(5, `${name} with reason code ${hex(reason)} and no properties`, write.packet(name, Buffer.from([0, 12, reason])))
  return [
    ...all(256).flatMap((reason) => [
      after(5, `PUBACK with reason code ${hex(reason)}`, write.answer('PUBACK', 5, undefined, reason)),
      after(5, `DISCONNECT with reason code ${hex(reason)}`, write.disconnect(5, undefined, reason)),
    ]),
    ...ids.flatMap((name) => [0, 1, 0x10, 0x92, 0x99, 0xff].map((reason) => withoutProperties(name, reason))),
    ...[0, 4, 1, 0x8b].map((reason) => after(5, `DISCONNECT with only ${hex(reason)}`, write.packet('DISCONNECT', Buffer.from([reason])))),
    after(5, 'DISCONNECT with session expiry where it was 0', write.disconnect(5, write.property(0x11, write.four(30)))),
    after(5, 'AUTH without reason code', write.packet('AUTH', Buffer.alloc(0))),
    ...[0, 0x18, 0x19, 0x87].map((reason) => after(5, `AUTH with reason code ${hex(reason)}`, write.auth(undefined, reason))),
  ]
}

function aliasCases(): readonly Case[] {
  const alias = (value: number) => write.property(0x23, write.two(value))
  const publish = (topic: string, value: number) => write.publish(5, { topic, properties: alias(value) })
  return [
    after(5, 'a topic alias, then its use', publish('a/aliased', 1), publish('', 1)),
    after(5, 'a topic alias that is given anew', publish('a/first', 2), publish('a/second', 2), publish('', 2)),
    after(5, 'a topic alias that nobody gave', publish('', 3)),
    after(5, 'a topic alias 0', publish('a/aliased', 0)),
    after(5, 'the highest topic alias', publish('a/aliased', 8)),
    after(5, 'a topic alias above the maximum', publish('a/aliased', 9)),
    after(5, 'a topic alias with a wildcard', publish('a/+', 1)),
  ]
}

function protocolCases(): readonly Case[] {
  const names = ['', 'MQT', 'MQTTT', 'mqtt', 'MQIsdp', 'HTTP', '\u0000MQTT', '__proto__']
  return [
    ...names.flatMap((protocol) =>
      [3, 4, 5].map((level) =>
        first(`protocol ${JSON.stringify(protocol)} level ${level}`, write.connect(level === 5 ? 5 : 4, { protocol, level })),
      ),
    ),
    ...[0, 1, 2, 3, 6, 7, 127, 128, 132, 133, 255].flatMap((level) =>
      versions.map((version) => first(`level ${level} in the form of MQTT ${version}`, write.connect(version, { level }))),
    ),
  ]
}
