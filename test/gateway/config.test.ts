// Where messages come from, as a file and as flags say it.

import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { addBrokerFlags, addGatewayFlags, type GatewayFlags, withFlags } from '../../gateway/cli/flags.ts'
import { fastPathsOf, type GatewayConfigInput, isLoopback, parseConfig, portsOf } from '../../gateway/config.ts'

const upstream = { kind: 'upstream', url: 'mqtts://broker.example:8883' } as const
const iotCore = { kind: 'iot-core' as const, endpoint: 'x.example', filters: ['dt/#'], cert: 'c.pem', key: 'k.pem' }

function fromFlags(args: readonly string[], file: GatewayConfigInput = {}) {
  const command = addBrokerFlags(addGatewayFlags(new Command())).exitOverride().parse(args, { from: 'user' })
  return parseConfig(withFlags(file, command.opts<GatewayFlags>())).broker
}

test('the broker is the embedded one unless something else is said', () => {
  expect(parseConfig({}).broker).toEqual({ kind: 'embedded' })
  expect(fromFlags([])).toEqual({ kind: 'embedded' })
})

test('a URL makes it one of somebody else, with everything on it', () => {
  expect(fromFlags(['--broker', 'mqtt://broker.example'])).toMatchObject({
    ...{ kind: 'upstream', url: 'mqtt://broker.example', filters: ['#'], protocolVersion: '5', connections: 1 },
  })
})

test('flags fill in and override what the file says of a broker', () => {
  const file = { broker: { ...upstream, group: 'a', username: 'weir', tls: { ca: 'ca.pem' } } }
  const flags = [
    '--broker-group',
    'b',
    '--broker-connections',
    '2',
    '--broker-filter',
    'dt/#',
    'cmd/#',
    '--broker-cert',
    'c.pem',
    '--broker-key',
    'k.pem',
  ]
  expect(fromFlags(flags, file)).toMatchObject({
    ...{ url: upstream.url, group: 'b', connections: 2, filters: ['dt/#', 'cmd/#'], username: 'weir' },
    tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem' },
  })
  expect(fromFlags(['--broker-ca', 'other.pem'], { broker: iotCore })).toMatchObject({ kind: 'iot-core', ca: 'other.pem', cert: 'c.pem' })
})

test.each([
  [{ ...upstream, connections: 2 }, 'broker.connections: several connections need a group, else each would get every message'],
  [{ ...upstream, url: 'http://x' }, 'broker.url: a URL such as mqtts://broker.example:8883; mqtt, mqtts, ws or wss'],
  [{ ...upstream, url: 'mqtts://u:s3cret@x' }, 'broker.url: a password in a URL ends up in logs; use password or passwordFile'],
  [{ ...upstream, url: 'mqtt://x', tls: { ca: 'ca.pem' } }, 'broker.url: certificates need mqtts:// or wss://'],
  [{ ...upstream, tls: { cert: 'c.pem' } }, 'broker.tls: a certificate and its key go together'],
  [{ ...upstream, password: 'a', passwordFile: 'b' }, 'broker.password: give a password or a file with one, not both'],
  [{ ...upstream, filters: ['$share/g/dt/#'] }, 'broker.filters[0]: a filter without $share/; give the group in `group`'],
  [{ ...upstream, group: 'a/b' }, 'broker.group: a group name has no /, + or #, and at most 128 characters'],
  [{ ...upstream, grup: 'a' }, 'broker.grup is not a known field; did you mean "group"?'],
  [{ kind: 'upstream' }, 'broker.url is missing'],
  [{ kind: 'iotcore' }, 'broker.kind is "iotcore"; did you mean "iot-core"?'],
  [{ ...iotCore, filters: undefined }, 'broker.filters is missing'],
])('%j is told with a sentence', (broker, sentence) => {
  const refused = (() => {
    try {
      parseConfig({ broker })
    } catch (error) {
      return error as Error
    }
    throw new Error('it was accepted')
  })()
  expect(refused).toMatchObject({ code: 'CONFIG_INVALID' })
  expect(refused.message).toContain(sentence)
  expect(refused.message).not.toContain('s3cret')
})

describe('the doors', () => {
  test('lead to the embedded broker, where it is the one', () => {
    expect(portsOf(parseConfig({}))).toMatchObject({ mqtt: 1883, mqttWs: 8083, mqtts: 'off', http: 8081 })
  })

  test('are shut for MQTT where it is not; the others stay', () => {
    const tls = { cert: 'c', key: 'k', ca: 'a' }
    const ports = portsOf(parseConfig({ broker: upstream, tls }))
    expect(ports).toMatchObject({ mqtt: 'off', mqttWs: 'off', mqtts: 'off', mqttWss: 'off', http: 8081, https: 8443, websocket: 8082 })
  })

  test('the admin port has an address of its own, which is loopback whatever the others have', () => {
    expect(parseConfig({ host: '0.0.0.0' }).listen.adminHost).toBe('127.0.0.1')
    expect(portsOf(parseConfig({ listen: { adminHost: '10.0.0.7' } }))).not.toHaveProperty('adminHost')
  })

  test.each(['127.0.0.1', '127.8.0.1', '::1', 'localhost'])('%s is reached from this machine only', (host) =>
    expect(isLoopback(host)).toBe(true),
  )
  test.each(['0.0.0.0', '::', '10.0.0.7', '', '127.example'])('"%s" may be reached from others', (host) =>
    expect(isLoopback(host)).toBe(false),
  )

  test('an MQTT door that is asked for all the same is a mistake', () => {
    expect(() => portsOf(parseConfig({ broker: upstream, listen: { mqtt: 1883 } }))).toThrow(
      'listen.mqtt: this door leads to the embedded broker; with broker.kind "upstream", devices connect to that one',
    )
    expect(portsOf(parseConfig({ broker: upstream, listen: { mqtt: 'off' } })).mqtt).toBe('off')
  })
})

test('WEIR_FAST_PATHS switches the fast paths off, and refuses any other value', () => {
  expect([fastPathsOf({}), fastPathsOf({ WEIR_FAST_PATHS: 'on' }), fastPathsOf({ WEIR_FAST_PATHS: 'off' })]).toEqual([true, true, false])
  expect(() => fastPathsOf({ WEIR_FAST_PATHS: '0' })).toThrow('environment variable WEIR_FAST_PATHS: "0" is not known; write "on" or "off"')
})
