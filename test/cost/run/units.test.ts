// What a relay reads off a connection: packets, requests and frames, whole or torn, and what each would be billed as.
import { generate } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { decodeHttp } from '../../../cost/run/http-units.ts'
import { decodeMqtt } from '../../../cost/run/mqtt-units.ts'
import type { Decode, Unit } from '../../../cost/run/unit.ts'
import { decodeMqttOverWebSocket, decodeWebSocket } from '../../../cost/run/web-socket-units.ts'

/** Every unit of a conversation, told alike however its bytes are torn. */
function read(decode: Decode, up: Buffer, down: Buffer): readonly Unit[] {
  const all = [1, 7, 10_000].map((size) => {
    const units: Unit[] = []
    const decoder = decode((unit) => units.push(unit))
    for (let at = 0; at < up.length; at += size) decoder.up(up.subarray(at, at + size))
    for (let at = 0; at < down.length; at += size) decoder.down(down.subarray(at, at + size))
    return units
  })
  expect(all[1]).toEqual(all[0])
  expect(all[2]).toEqual(all[0])
  return all[0]!
}

const brief = ({ kind, role, bytes, billed }: Unit) => [kind, role, bytes, Object.values(billed)[0] ?? 0]
const publish = (topic: string, payloadBytes: number, retain = false) =>
  generate({ cmd: 'publish', topic, payload: Buffer.alloc(payloadBytes), qos: 1, messageId: 7, dup: false, retain })

describe('MQTT', () => {
  const connect = generate({ cmd: 'connect', clientId: 'fr-00001', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 })
  const connack = generate({ cmd: 'connack', returnCode: 0, sessionPresent: false })

  test('each packet has its kind, its part and its size', () => {
    const up = [connect, publish('a/b', 200), generate({ cmd: 'pingreq' }), generate({ cmd: 'disconnect' })]
    const down = [connack, generate({ cmd: 'puback', messageId: 7 }), generate({ cmd: 'pingresp' })]
    expect(read(decodeMqtt, Buffer.concat(up), Buffer.concat(down)).map(brief)).toEqual([
      ['CONNECT', 'session', 22, 1],
      ['PUBLISH', 'message', 3 + 2 + 3 + 2 + 200, 1],
      ['PINGREQ', 'keepAlive', 2, 0],
      ['DISCONNECT', 'session', 2, 0],
      ['CONNACK', 'session', 4, 0],
      ['PUBACK', 'ack', 4, 0],
      ['PINGRESP', 'keepAlive', 2, 0],
    ])
  })

  test('5 KB of topic and payload are one message, a byte more two; a retained one counts once more', () => {
    const up = Buffer.concat([publish('a/b', 5_117), publish('a/b', 5_118), publish('a/b', 10, true)])
    expect(read(decodeMqtt, up, Buffer.alloc(0)).map(({ billed }) => billed)).toEqual([
      { 'iotCore.messages': 1 },
      { 'iotCore.messages': 2 },
      { 'iotCore.messages': 2 },
    ])
  })

  test('a delivery and the PUBACK of the device are billed, SUBSCRIBE by its filters, SUBACK not', () => {
    const up = [
      generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'cmd/#', qos: 1 }] }),
      generate({ cmd: 'puback', messageId: 7 }),
    ]
    const down = [generate({ cmd: 'suback', messageId: 1, granted: [1] }), publish('cmd/a', 6_000)]
    expect(read(decodeMqtt, Buffer.concat(up), Buffer.concat(down)).map(({ kind, role, billed }) => [kind, role, billed])).toEqual([
      ['SUBSCRIBE', 'session', { 'iotCore.messages': 1 }],
      ['PUBACK', 'ack', { 'iotCore.messages': 1 }],
      ['SUBACK', 'session', {}],
      ['PUBLISH', 'delivery', { 'iotCore.messages': 2 }],
    ])
  })
})

describe('HTTP', () => {
  const request = (body: string) =>
    `POST /topics/dt%2Fcoldchain/a%20b?qos=1 HTTP/1.1\r\nhost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  test('requests by body for IoT Core and an HTTP API, each one for a REST API; the answer not', () => {
    const up = request('x'.repeat(5_121)) + request('')
    const down = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 429 Too Many\r\ncontent-length: 3\r\n\r\nno!'
    const units = read(decodeHttp, Buffer.from(up), Buffer.from(down))
    expect(units.map(({ kind, role, payloadBytes, topicBytes }) => [kind, role, payloadBytes, topicBytes])).toEqual([
      ['POST', 'message', 5_121, 16],
      ['POST', 'message', 0, 16],
      ['200', 'ack', 0, 0],
      ['429', 'ack', 0, 0],
    ])
    expect(units[0]!.billed).toEqual({ 'iotCore.messages': 2, 'apiGateway.httpRequests': 1, 'apiGateway.restRequests': 1 })
    expect(units.slice(2).map(({ billed }) => billed)).toEqual([{}, { 'iotCore.messages': 1 }])
    expect(units.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(up.length + down.length)
  })

  test('a body without a length is refused, not guessed', () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(() => decodeHttp(() => undefined).down(Buffer.from(chunked))).toThrow('chunked')
  })
})

describe('WebSocket', () => {
  const upgrade = Buffer.from('GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n')
  const switching = Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  /** RFC 6455, 5.2; masked where a mask is given. */
  const frame = (payload: Buffer, mask?: readonly number[], opcode = 1) => {
    const length = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255]
    length[0]! |= mask ? 0x80 : 0
    const masked = mask ? payload.map((byte, i) => byte ^ mask[i % 4]!) : payload
    return Buffer.concat([Buffer.from([0x80 | opcode, ...length, ...(mask ?? [])]), masked])
  }
  const mask = [1, 2, 3, 4]

  test('frames by kind; a message of 32 KB is one, answers count too, control frames do not', () => {
    const body = (bytes: number) => Buffer.from(JSON.stringify({ action: 'publish', topic: 'møl', payload: 'x'.repeat(bytes), id: '1' }))
    const up = Buffer.concat([
      upgrade,
      frame(body(200), mask),
      frame(body(32_768), mask),
      frame(Buffer.alloc(0), mask, 10),
      frame(Buffer.alloc(2), mask, 8),
    ])
    const down = Buffer.concat([switching, frame(Buffer.from('{"id":"1"}'))])
    const units = read(decodeWebSocket, up, down)
    expect(units.map(({ kind, role, payloadBytes, topicBytes }) => [kind, role, payloadBytes, topicBytes])).toEqual([
      ['UPGRADE', 'session', 0, 0],
      ['publish', 'message', 200, 4],
      ['publish', 'message', 32_768, 4],
      ['PONG', 'keepAlive', 0, 0],
      ['CLOSE', 'session', 0, 0],
      ['101', 'session', 0, 0],
      ['answer', 'ack', 0, 0],
    ])
    expect(units.map(({ billed }) => billed['apiGateway.webSocketMessages'] ?? 0)).toEqual([0, 1, 2, 0, 0, 0, 1])
    expect(units.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(up.length + down.length)
  })

  test('an MQTT packet in a frame is as large as its frame', () => {
    const up = Buffer.concat([upgrade, frame(publish('a/b', 200), mask, 2)])
    const down = Buffer.concat([switching, frame(generate({ cmd: 'puback', messageId: 7 }), undefined, 2)])
    expect(read(decodeMqttOverWebSocket, up, down).map(brief)).toEqual([
      ['UPGRADE', 'session', upgrade.length, 0],
      ['PUBLISH', 'message', 210 + 4 + 4, 1],
      ['101', 'session', switching.length, 0],
      ['PUBACK', 'ack', 4 + 2, 0],
    ])
  })
})
