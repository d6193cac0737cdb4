// From a measured run to the wire of any workload, against the run that is kept with the docs.
import { describe, expect, test } from 'vitest'
import { bytesOfMessage, measuredWires, readRun, workloadOf } from '../../cost/measurement.ts'
import { type Path, type PathName, paths, pathUsage, wireOf } from '../../cost/paths.ts'
import { loadPriceBook } from '../../cost/price-book.ts'
import { isBalanced } from '../../cost/report/measured.ts'
import { wireParts } from '../../cost/wire.ts'
import { parseWorkload } from '../../cost/workload.ts'
import { runFile } from '../helpers/cost-run.ts'

const run = await readRun(runFile)
const wires = measuredWires(run)
const of = (name: string) => run.transports.find(({ transport }) => transport === name)!
/** The workload whose messages are exactly those of a transport. */
const same = (name: string, more: object = {}) => ({ ...parseWorkload({}), ...of(name).message, ...more })

describe('a wire', () => {
  test('of the measured message is the measured one', () => {
    const { parts, perSession, basis } = wires(paths['iot-mqtt'], same('mqtt'))
    const { handshake: _, keepAlive: __, ...message } = parts
    expect(basis).toBe('measured')
    expect(message).toEqual(of('mqtt').parts)
    expect(perSession).toEqual(of('mqtt').perSession)
  })

  test('of a larger message has its bytes more', () => {
    const [small, large] = [same('mqtt'), same('mqtt', { payloadBytes: of('mqtt').message.payloadBytes + 1_000 })]
    const grown = wires(paths['iot-mqtt'], large).perMessage.up - wires(paths['iot-mqtt'], small).perMessage.up
    expect(grown).toBeCloseTo(1_000)
  })

  test('with a connection for each message is that of the run with one', () => {
    const { perMessage } = wires(paths['iot-https'], same('https-per-message'))
    const { perSession } = of('https-per-message')
    expect(perMessage.up).toBeCloseTo(perSession.up + bytesOfMessage(of('https-per-message')).up)
    const kept = wires(paths['iot-https'], same('https', { requestsPerConnection: 100 })).perMessage
    expect(kept.down).toBeCloseTo(of('https').perSession.down / 100 + bytesOfMessage(of('https')).down)
  })

  test('of a protocol that was not measured is modelled', () => {
    const only = measuredWires({ ...run, transports: [of('https')] })
    expect(only(paths['iot-https'], same('https')).basis).toBe('measured')
    expect(only(paths['iot-mqtt'], same('https'))).toEqual(wireOf(paths['iot-mqtt'], same('https')))
  })

  test('is never less than nothing, whatever the workload', () => {
    for (const path of Object.values(paths) as Path[])
      for (const fields of [{ qos: 0 }, { payloadBytes: 1, topicBytes: 1 }, { payloadBytes: 100_000 }, { clientIdBytes: 1 }] as const) {
        const { parts } = wires(path, parseWorkload(fields))
        for (const part of wireParts) expect(Math.min(parts[part].up, parts[part].down), part).toBeGreaterThanOrEqual(0)
      }
  })

  test('the model is within a tenth of the measured message, but for HTTP heads and TCP/IP, which differ by implementation', () => {
    for (const name of ['iot-mqtt', 'iot-mqtt-ws'] as const) {
      const at = parseWorkload({})
      const [model, measured] = [wireOf(paths[name], at).parts, wires(paths[name], at).parts]
      for (const part of ['payload', 'framing', 'acks', 'tls'] as const)
        expect(measured[part].up + measured[part].down, `${name} ${part}`).toBeCloseTo(model[part].up + model[part].down, -1)
    }
  })
})

describe('the run', () => {
  test('lost nothing and can account for every message', () => {
    for (const { transport, ledger, messages, fleet, problems } of run.transports) {
      expect(isBalanced(ledger, messages), transport).toBe(true)
      expect([fleet.acked, fleet.failed, problems]).toEqual([messages, 0, []])
    }
  })

  test.each([
    ['mqtt', 'iot-mqtt', ['iotCore.rulesTriggered', 'iotCore.actionsExecuted']],
    ['https', 'iot-https', ['iotCore.messages', 'iotCore.rulesTriggered', 'iotCore.actionsExecuted']],
    ['https', 'api-http-sqs', ['apiGateway.httpRequests']],
    ['https', 'api-rest-sqs', ['apiGateway.restRequests']],
    ['websocket', 'api-websocket-sqs', ['apiGateway.webSocketMessages']],
    ['reconnect-per-message', 'iot-mqtt-reconnect', ['iotCore.messages', 'iotCore.connectionMinutes', 'iotCore.rulesTriggered']],
  ] as const)('%s was metered as the formula of %s says, message by message', (transport, name, items) => {
    const { billed, messages } = of(transport)
    const metered = billed.find(({ path }) => path === name)!.usage
    const workload = parseWorkload({ payloadBytes: 200, devices: 1, days: 1, intervalMs: 86_400_000 })
    const formula = pathUsage(paths[name as PathName], workload, loadPriceBook('us-east-1'))
    for (const item of items) {
      const pings = item === 'apiGateway.webSocketMessages' ? Math.ceil(86_400_000 / 600_000) - 1 : 0
      expect(metered[item]! / messages, item).toBe(formula[item]! - pings)
    }
  })

  test('a kept MQTT connection is one CONNECT, and then a message is a message', () => {
    const { billed, messages, sessions } = of('mqtt')
    expect(billed[0]!.usage['iotCore.messages']).toBe(messages + sessions)
  })

  test('is for messages of its own size', () => expect(workloadOf(run)).toMatchObject({ payloadBytes: 200, topicBytes: 43, qos: 1 }))
})
