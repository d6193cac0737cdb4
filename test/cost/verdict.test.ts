// The slogan "MQTT is much cheaper than HTTP or WebSocket", claim by claim, as docs/cost.md states it: with measured bytes, and with the model's.
import { describe, expect, test } from 'vitest'
import { crossover } from '../../cost/crossover.ts'
import { estimatePath } from '../../cost/estimate.ts'
import { measuredWires, readRun } from '../../cost/measurement.ts'
import { type PathName, paths, wireOf } from '../../cost/paths.ts'
import { loadPriceBook } from '../../cost/price-book.ts'
import { bytesOnWire } from '../../cost/report/bytes.ts'
import { parseWorkload, type Workload } from '../../cost/workload.ts'
import { runFile } from '../helpers/cost-run.ts'

const book = loadPriceBook('us-east-1')
describe.each([
  ['measured', measuredWires(await readRun(runFile))],
  ['modelled', wireOf],
])('with %s bytes', (_, wires) => {
  const bill = (name: PathName, fields: Partial<Workload> = {}) =>
    Number(estimatePath(name, parseWorkload(fields), book, 'none', wires).totalNanoDollars) / 1e9
  const wire = (name: PathName, fields: Partial<Workload> = {}) => bytesOnWire(wires(paths[name], parseWorkload(fields)))
  const winners = (a: PathName, b: PathName, fields: Partial<Workload> = {}) =>
    crossover(a, b, 'interval', parseWorkload(fields), { wires }).ranges.map(({ cheaper }) => cheaper)

  test('on the wire an HTTPS message with its own connection is more than ten times an MQTT one, mostly handshake', () => {
    expect(wire('iot-https') / wire('iot-mqtt')).toBeGreaterThan(10)
    expect(wire('iot-https', { requestsPerConnection: 100 }) / wire('iot-mqtt')).toBeLessThan(3)
  })

  describe('on the bill', () => {
    test('HTTPS on IoT Core is never dearer than MQTT', () => {
      expect(winners('iot-mqtt', 'iot-https')).toEqual(['iot-https'])
      expect(winners('iot-mqtt-basic-ingest', 'iot-https-basic-ingest')).toEqual(['iot-https-basic-ingest'])
    })

    test('an HTTP API is never dearer by request prices, and MQTT wins at high rates once bytes out are paid', () => {
      expect(winners('iot-mqtt', 'api-http-sqs', { dataOut: false })).toEqual(['api-http-sqs'])
      expect(winners('iot-mqtt', 'api-http-sqs')).toEqual(['iot-mqtt', 'api-http-sqs'])
    })

    test('a REST API is dearer for all but rare messages', () => {
      expect(winners('iot-mqtt', 'api-rest-sqs', { dataOut: false })).toEqual(['iot-mqtt', 'api-rest-sqs'])
    })

    test('a WebSocket API is dearer when it acknowledges, cheaper at high rates when it does not', () => {
      expect(winners('iot-mqtt', 'api-websocket-sqs', { webSocketAcks: true })).toEqual(['iot-mqtt'])
      expect(winners('iot-mqtt', 'api-websocket-sqs', { webSocketAcks: false })).toEqual(['api-websocket-sqs', 'iot-mqtt'])
    })

    test('packing moves the bill more than any choice of protocol on IoT Core', () => {
      expect(bill('iot-mqtt') / bill('iot-mqtt', { readingsPerMessage: 25 })).toBeGreaterThan(10)
      expect(bill('iot-mqtt') / bill('iot-mqtt-basic-ingest')).toBeGreaterThan(2)
      expect(bill('iot-mqtt') / bill('iot-https')).toBeLessThan(1.1)
    })
  })
})
