// The model of bytes on the wire, against packets counted by hand.
import { describe, expect, test } from 'vitest'
import { bytesOutPerMessage, modelWire } from '../../cost/wire.ts'
import { parseWorkload } from '../../cost/workload.ts'

const always = { kind: 'always-on' } as const
const workload = parseWorkload({ payloadBytes: 200, topicBytes: 43, clientIdBytes: 20 })

describe('MQTT over TLS', () => {
  const { parts } = modelWire('mqtts', workload, always)

  test('PUBLISH: 3 bytes of fixed header, 2 + 43 of topic, 2 of packet id; PUBACK: 4', () => {
    expect(parts.payload).toEqual({ up: 200, down: 0 })
    expect(parts.framing).toEqual({ up: 3 + 2 + 43 + 2, down: 0 })
    expect(parts.acks).toEqual({ up: 0, down: 4 })
  })

  test('a record of 22 bytes each way; a segment each way and a bare acknowledgement up', () => {
    expect(parts.tls).toEqual({ up: 22, down: 22 })
    expect(parts.tcpip).toEqual({ up: 80, down: 40 })
  })

  test('QoS 0 has no packet id and no PUBACK, only a bare acknowledgement', () => {
    const qos0 = modelWire('mqtts', { ...workload, qos: 0 }, always).parts
    expect([qos0.framing.up, qos0.acks.down, qos0.tls.down]).toEqual([48, 0, 0])
    expect(qos0.tcpip).toEqual({ up: 40, down: 40 })
  })

  test('one session a day is spread over 1,440 messages', () => {
    const { perSession } = modelWire('mqtts', workload, always)
    expect(parts.handshake.up).toBeCloseTo(perSession.up / 1_440)
  })

  test('pings fall between messages, never beside them', () => {
    const pings = (intervalMs: number) => {
      const wire = modelWire('mqtts', { ...workload, intervalMs, keepAliveMs: 60_000 }, always)
      return wire.parts.keepAlive.up / wire.perKeepAlive.up
    }
    expect([60_000, 60_001, 120_000, 3_600_000].map(pings)).toEqual([0, 1, 1, 59])
  })
})

test('a WebSocket frame costs a device 8 bytes around a packet of 126 to 65,535 bytes, 6 around a smaller one', () => {
  const plain = modelWire('mqtts', workload, always).parts
  const framed = modelWire('mqtt-wss', workload, always).parts
  expect(framed.framing.up - plain.framing.up).toBe(8)
  expect(framed.acks.down - plain.acks.down).toBe(2)
  const small = { ...workload, payloadBytes: 20 }
  expect(modelWire('mqtt-wss', small, always).parts.framing.up - modelWire('mqtts', small, always).parts.framing.up).toBe(6)
})

test('an HTTPS request on a connection of its own is mostly handshake', () => {
  const { parts, perMessage } = modelWire('https', workload, { kind: 'per-messages', messages: 1 })
  expect(parts.handshake.up + parts.handshake.down).toBeGreaterThan(0.7 * (perMessage.up + perMessage.down))
  const reused = modelWire('https', workload, { kind: 'per-messages', messages: 100 })
  expect(reused.parts.handshake.down).toBeCloseTo(parts.handshake.down / 100)
})

test('what leaves the cloud is everything down but TCP/IP headers', () => {
  const wire = modelWire('mqtts', { ...workload, sessionsPerDeviceDay: 1e-9 }, always)
  expect(bytesOutPerMessage(wire)).toBeCloseTo(4 + 22, 3)
})
