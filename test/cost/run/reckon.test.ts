// What one message, session and keep-alive cost, from totals that were made up so that the answer is known.
import { expect, test } from 'vitest'
import type { Segments } from '../../../cost/run/kernel.ts'
import { type Account, type Found, toMeasurement } from '../../../cost/run/reckon.ts'
import { createTally, type Tally } from '../../../cost/run/tally.ts'
import { noUnit, type Role } from '../../../cost/run/unit.ts'

const devices = 4
const handshake = { up: 1_000, down: 2_000 }
const record = 22

/** Counts as a relay would, with one record for each unit; returns what the connection put on the wire. */
function aConnection(tally: Tally, messages: number, pings: number) {
  const bytes = { up: handshake.up, down: handshake.down }
  const say = (direction: 'up' | 'down', role: Role, kind: string, size: number, payloadBytes = 0) => {
    const billed = kind === 'PUBLISH' || kind === 'CONNECT' ? { 'iotCore.messages': 1 } : {}
    tally.unit({ ...noUnit, kind, direction, role, bytes: size, payloadBytes, topicBytes: payloadBytes && 43, billed })
    tally.record(direction, role)
    bytes[direction] += size + record
  }
  say('up', 'session', 'CONNECT', 22)
  say('down', 'session', 'CONNACK', 4)
  for (let i = 0; i < messages; i++) {
    say('up', 'message', 'PUBLISH', 250, 200)
    say('down', 'ack', 'PUBACK', 4)
  }
  for (let i = 0; i < pings; i++) {
    say('up', 'keepAlive', 'PINGREQ', 2)
    say('down', 'keepAlive', 'PINGRESP', 2)
  }
  tally.connection(bytes, 61_000)
  return bytes
}

/** Three phases of one transport; a connection has 300 bytes of headers each way, a message 104 up and 52 down, a ping 104 and 52. */
function phases(hasKernel: boolean) {
  const tally = createTally()
  const kernel = { connections: 0, segments: { up: 0, down: 0 }, headers: { up: 0, down: 0 }, retransmitted: 0 }
  const snapshot = () => ({ totals: tally.totals(), kernel: hasKernel ? (structuredClone(kernel) as Segments) : undefined })
  const phase = (messages: number, pings: number): Found => {
    const start = snapshot()
    for (let i = 0; i < devices; i++) {
      aConnection(tally, messages, pings)
      kernel.connections++
      kernel.headers.up += 300 + 104 * (messages + pings)
      kernel.headers.down += 300 + 52 * (messages + pings)
    }
    return { start, end: snapshot() }
  }
  return { open: phase(0, 0), idle: phase(0, 3), talk: phase(5, 0) }
}

const account: Account = {
  clientIdBytes: 8,
  qos: 1,
  aws: {
    SendMessageBatch: { calls: 4, requests: 4, messages: 20, empty: 0 },
    ReceiveMessage: { calls: 5, requests: 5, messages: 20, empty: 1 },
  },
  fired: { rules: 20, actions: 22, toSqs: 20 },
  fleet: { devices, sent: 20, acked: 20, failed: 0, dropped: 0 },
  ledger: { accepted: 20, delivered: 20, unmatched: 0, dead: 0, queued: 0, split: 0, lost: 0, balanced: true },
  problems: [],
}

test('each is the difference that it makes', () => {
  const found = toMeasurement('mqtt', phases(true), account)
  expect(found).toMatchObject({ messages: 20, sessions: 4, keepAlives: 12, tcpip: 'kernel' })
  expect(found.message).toEqual({ payloadBytes: 200, topicBytes: 43, clientIdBytes: 8, qos: 1 })
  expect(found.parts).toEqual({
    payload: { up: 200, down: 0 },
    framing: { up: 50, down: 0 },
    acks: { up: 0, down: 4 },
    tls: { up: 22, down: 22 },
    tcpip: { up: 104, down: 52 },
  })
  expect(found.perSession).toEqual({ up: 1_000 + 44 + 300, down: 2_000 + 26 + 300 })
  expect(found.perKeepAlive).toEqual({ up: 2 + 22 + 104, down: 2 + 22 + 52 })
})

test('without a kernel to ask, headers are modelled and nothing else changes', () => {
  const [counted, modelled] = [true, false].map((hasKernel) => toMeasurement('mqtt', phases(hasKernel), account))
  expect(modelled!.tcpip).toBe('model')
  expect(modelled!.parts).toEqual({ ...counted!.parts, tcpip: { up: 80, down: 40 } })
})

test('with a connection for each message all that is not the message is the session', () => {
  const found = toMeasurement('reconnect-per-message', phases(true), account)
  expect(found.parts.tcpip).toEqual({ up: 52, down: 52 })
  // Five messages a connection here; a connection costs everything of it but one message by itself.
  const whole = 1_000 + 44 + 5 * (250 + 22) + 300 + 5 * 104
  expect(found.perSession.up).toBeCloseTo(whole - (200 + 50 + 22 + 52))
})

test('billed: CONNECT and PUBLISH, minutes begun, rules and actions, sends one by one as a rule does, and the calls of the consumer', () => {
  const { billed } = toMeasurement('mqtt', phases(true), account)
  expect(billed[0]).toEqual({
    path: 'iot-mqtt',
    usage: {
      'iotCore.messages': 24,
      'iotCore.connectionMinutes': 8,
      'iotCore.rulesTriggered': 20,
      'iotCore.actionsExecuted': 22,
      'sqs.standardRequests': 25,
    },
  })
  expect(billed[1]).toEqual({ path: 'weir-ec2', usage: { 'sqs.standardRequests': 9 } })
})
