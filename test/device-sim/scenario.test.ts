import { expect, test } from 'vitest'
import { FleetError } from '../../device-sim/errors.ts'
import { parseScenario, scenarioSchema } from '../../device-sim/scenario.ts'

test('an empty scenario is ten freezers of four tenants, every ten seconds', () => {
  expect(parseScenario({})).toMatchObject({
    devices: 10,
    protocol: 'mqtt',
    qos: 1,
    tenants: ['acme', 'borealis', 'coldway', 'dairyland'],
    populations: [{ model: 'freezer', interval: { kind: 'fixed', every: 10_000 }, params: { setpoint: -18 } }],
  })
})

test.each([
  [{ tennants: ['a'] }, 'f.json: tennants is not a known field; did you mean "tenants"?'],
  [{ populations: [{ model: 'freezr' }] }, 'f.json: populations[0].model is "freezr"; did you mean "freezer"?'],
  [{ populations: [{}] }, 'f.json: populations[0].model is missing; expected one of'],
  [{ populations: [{ model: 'freezer', parms: {} }] }, 'f.json: populations[0].parms is not a known field; did you mean "params"?'],
  [
    { populations: [{ model: 'freezer', params: { setpiont: 1 } }] },
    'f.json: populations[0].params.setpiont is not a known field; did you mean "setpoint"?',
  ],
  [
    { populations: [{ model: 'freezer', params: { setpoint: 'cold' } }] },
    'f.json: populations[0].params.setpoint is "cold"; expected number',
  ],
  [
    { populations: [{ model: 'freezer', interval: '10 parsecs' }] },
    'populations[0].interval: expected a duration such as "500ms", "10s" or "5m", got "10 parsecs"',
  ],
  [{ populations: [{ model: 'freezer', topic: 'a/{devcie}' }] }, 'populations[0].topic: may only use {tenant}'],
  [{ duration: '10x' }, 'f.json: duration: expected a duration'],
  [{ qos: 2 }, 'f.json: qos is 2; expected one of 0, 1'],
  [{ protocol: 'mqt' }, 'f.json: protocol is "mqt"; did you mean "mqtt"?'],
  [{ devices: 0 }, 'f.json: devices is 0; expected >=1'],
  [{ thresholds: ['failed = 0'] }, 'f.json: thresholds[0]: expected a threshold such as'],
  [[], 'f.json: it is []; expected object'],
])('%j gives one sentence', (input, sentence) => {
  const parse = () => parseScenario(input, 'f.json')
  expect(parse).toThrow(FleetError)
  expect(parse).toThrow(sentence)
})

test('every field says what it is for', () => {
  const mute = Object.entries(scenarioSchema.shape).filter(([, field]) => !field.description)
  expect(mute.map(([name]) => name)).toEqual([])
})

test('iot-core and workers do not go together', () => {
  expect(() => parseScenario({ protocol: 'iot-core', workers: 2 })).toThrow('scenario: workers: the iot-core driver has threads of its own')
})
