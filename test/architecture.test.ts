// The rooms and who may enter them: every import in the tree is held against one table. A new arrow is a decision, made here.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

/** `gateway/x` allows the room, `gateway/x/y.ts` one file of it, anything else a package. An entry that ends in `:` or `/` allows all packages that begin with it. */
const table: Readonly<Record<string, readonly string[]>> = {
  lib: ['lib', 'zod', 'node:'],
  'gateway/message': ['node:'],
  'gateway/errors.ts': [],
  'gateway/aws': ['@aws-sdk/client-sqs', '@aws-sdk/client-sns', '@smithy/node-http-handler', 'undici', 'zod', 'node:'],
  'gateway/observe': ['lib', 'gateway/message', 'gateway/errors.ts', 'pino', 'prom-client', 'node:'],
  'gateway/access': ['lib', 'gateway/message', 'gateway/errors.ts', 'gateway/observe', 'zod', 'node:'],
  'gateway/listen': [
    'lib',
    'gateway/message',
    'gateway/errors.ts',
    'gateway/access',
    'gateway/observe',
    'gateway/broker/broker.ts',
    'fastify',
    'ws',
    'zod',
    'node:',
  ],
  'gateway/broker': [
    'lib',
    'gateway/message',
    'gateway/errors.ts',
    'gateway/access',
    'gateway/observe',
    // The journal of sessions is written as the spool writes.
    'gateway/spool/codec.ts',
    'gateway/spool/fs.ts',
    'gateway/spool/group-commit.ts',
    'gateway/spool/lock.ts',
    'gateway/spool/losses.ts',
    'gateway/spool/recover.ts',
    'gateway/spool/segment.ts',
    'gateway/spool/turns.ts',
    'aedes',
    'mqtt',
    'mqtt-packet',
    'aws-iot-device-sdk-v2',
    'zod',
    'node:',
  ],
  'gateway/spool': ['lib', 'gateway/message', 'gateway/errors.ts', 'gateway/observe', 'zod', 'node:'],
  'gateway/rules/sql': [
    'gateway/errors.ts',
    'gateway/message',
    'gateway/rules/topic',
    // The only ways into the fast paths: whatever they do, the general path does as well.
    'gateway/rules/sql/fast/fast-select.ts',
    'gateway/rules/sql/fast/per-topic.ts',
    'lib/nearest.ts',
    'decimal.js',
    're2js',
    'node:crypto',
    'node:buffer',
    'node:zlib',
  ],
  'gateway/rules/sql/fast': ['gateway/message', 'gateway/rules/sql', 'node:buffer'],
  'gateway/rules/topic': ['lib/topic.ts', 'lib/topic-trie.ts'],
  'gateway/rules': [
    'lib',
    'gateway/message',
    'gateway/errors.ts',
    'gateway/observe',
    'gateway/actions',
    'gateway/rules/sql',
    'gateway/rules/topic',
    'zod',
    'node:',
  ],
  'gateway/actions': [
    'lib',
    'gateway/message',
    'gateway/errors.ts',
    'gateway/aws',
    'gateway/observe',
    'gateway/broker/broker.ts',
    // The client of whatever service an action delivers to.
    '@aws-sdk/',
    'zod',
    'node:',
  ],
  'gateway/delivery': [
    'lib',
    'gateway/message',
    'gateway/errors.ts',
    'gateway/observe',
    'gateway/actions/action.ts',
    'gateway/actions/aws-errors.ts',
    'gateway/actions/error-action.ts',
    'gateway/broker/broker.ts',
    'gateway/spool/spool.ts',
    'gateway/rules',
    'gateway/rules/sql',
  ],
  'gateway/consume': ['lib', 'gateway/errors.ts', 'gateway/aws', 'gateway/observe', '@aws-sdk/client-sqs', 'zod', 'node:'],
  'gateway/commands': ['lib', 'gateway/message', 'gateway/errors.ts', 'gateway/broker/broker.ts', 'zod', 'node:'],
  'gateway/dashboard': ['gateway/errors.ts', 'gateway/observe', 'fastify', 'node:'],
  'gateway/local': [
    // The embedded SQS and SNS trust every caller, as the admin port does.
    'gateway/listen/trust.ts',
    'lib',
    'gateway/errors.ts',
    'gateway/aws',
    'gateway/observe',
    '@aws-sdk/client-sqs',
    '@aws-sdk/client-sns',
    'fauxqs',
    'zod',
    'node:',
  ],
  // Pure sums over tables that exist: what a fleet asks of AWS and of the disk.
  'gateway/plan': ['lib', 'gateway/message', 'gateway/access', 'gateway/spool', 'node:'],
  // Looks at everything that can be wrong through the schemas and compilers that refuse it, and runs none of it.
  'gateway/doctor': [
    'lib',
    'gateway/errors.ts',
    'gateway/aws',
    'gateway/access',
    'gateway/actions',
    'gateway/config.ts',
    'gateway/local',
    'gateway/plan',
    'gateway/rules',
    'gateway/rules/sql',
    'gateway/rules/topic',
    '@aws-sdk/client-sqs',
    '@aws-sdk/client-sns',
    'zod',
    'node:',
  ],
  'gateway/template': [
    ...['lib', 'zod', 'gateway/errors.ts', 'gateway/access/policy-document.ts', 'gateway/actions', 'gateway/local/resources.ts'],
  ],
  'gateway/config.ts': ['lib', 'gateway', 'zod', 'node:'],
  'gateway/data-dir.ts': [
    ...['lib', 'gateway/config.ts', 'gateway/observe', 'gateway/access/limits.ts', 'gateway/spool', 'gateway/broker/routes.ts'],
    ...['gateway/broker/sessions/journal.ts', 'gateway/broker/sessions/sessions.ts', 'gateway/delivery', 'node:'],
  ],
  'gateway/gateway.ts': ['lib', 'gateway', 'node:'],
  'gateway/cli': ['lib', 'gateway', 'commander', 'pino-pretty', 'zod', '@aws-sdk/client-sqs', 'node:'],
  'device-sim': [
    'lib',
    'device-sim',
    'mqtt',
    'mqtt-packet',
    'aws-iot-device-sdk-v2',
    'ws',
    'zod',
    'commander',
    'cborg',
    '@peculiar/x509',
    'reflect-metadata',
    'node:',
  ],
  'gateway/docs.ts': ['gateway', 'zod'],
  // The report itself is pure; only a measured run needs a gateway and a fleet.
  cost: ['lib', 'cost/run', 'zod', 'commander', 'node:'],
  'cost/run': [
    ...['lib', 'cost', 'gateway/gateway.ts', 'gateway/config.ts'],
    ...['device-sim/fleet.ts', 'device-sim/scenario.ts', 'device-sim/certs.ts', 'device-sim/device.ts', 'device-sim/drivers/driver.ts'],
    ...['device-sim/drivers/index.ts', 'mqtt-packet', 'node:'],
  ],
  // What deploys: schemas and pure parts of the gateway, and nothing that runs.
  infra: [
    'lib/problems.ts',
    'gateway/aws',
    'gateway/errors.ts',
    'gateway/access/policy-document.ts',
    'gateway/actions/index.ts',
    'gateway/consume/consumer-config.ts',
    'gateway/local/resources.ts',
    'gateway/rules/group-field.ts',
    'gateway/rules/load.ts',
    'gateway/rules/rule-file.ts',
    'gateway/rules/sql/parse.ts',
    'gateway/template/actions.ts',
    'aws-cdk-lib',
    'constructs',
    'cdk-nag',
    'esbuild',
    '@aws-cdk/aws-service-spec',
    'zod',
    'node:',
  ],
  // What runs in Lambda: the consumer's own handling, without the gateway around it.
  'infra/lambda': ['lib', 'gateway/aws', 'gateway/actions/sqs-entry.ts', 'gateway/consume', '@aws-sdk/client-sqs'],
  bin: [
    'bin',
    'lib',
    'cost',
    'gateway/cli',
    'gateway/actions/index.ts',
    'gateway/plan',
    'gateway/gateway.ts',
    'gateway/config.ts',
    'gateway/errors.ts',
    'device-sim',
    'cost',
    'commander',
    'package.json',
    'node:',
  ],
}

/** Packages that stay in so many files, so that replacing one is a change in one place. */
const maxFiles: Readonly<Record<string, number>> = {
  aedes: 1,
  fauxqs: 1,
  // The gateway consumes from AWS IoT Core with it, the fleet's devices publish to it: two programs that share no code.
  'aws-iot-device-sdk-v2': 2,
  'prom-client': 1,
  'pino-pretty': 1,
  re2js: 1,
}

interface Import {
  readonly file: string
  readonly room: string
  /** A path from the root, or a package name. */
  readonly target: string
}

const files = ['lib', 'gateway', 'device-sim', 'cost', 'infra', 'bin'].flatMap((root) => {
  try {
    return readdirSync(root, { recursive: true, encoding: 'utf8' }).flatMap((path) => (path.endsWith('.ts') ? [join(root, path)] : []))
  } catch {
    return []
  }
})

/** The most specific row that covers a path. */
const roomOf = (path: string) =>
  Object.keys(table)
    .filter((room) => path === room || path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0]

/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`. */
const importPattern = /^(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?'([^']+)'|\bimport\(\s*'([^']+)'/gm

const packageOf = (name: string) => (name.startsWith('node:') ? name : name.split('/', name.startsWith('@') ? 2 : 1).join('/'))

const imports: readonly Import[] = files.flatMap((file) => {
  const source = readFileSync(file, 'utf8')
  return [...source.matchAll(importPattern)]
    .map(([, written, called]) => written ?? called ?? '')
    .map((name) => ({
      file,
      room: roomOf(file) ?? '(none)',
      target: name.startsWith('.') ? normalize(join(dirname(file), name)) : packageOf(name),
    }))
})

const isAllowed = ({ room, target }: Import) => {
  const allowed = table[room] ?? []
  // A row of its own is not reached by naming its parent, except from the files that see every room.
  const inRoom = (path: string) => roomOf(target) === path || (allowed.includes('gateway') && target.startsWith('gateway/'))
  return (
    roomOf(target) === room ||
    allowed.some((entry) => target === entry || inRoom(entry) || (/[:/]$/.test(entry) && target.startsWith(entry)))
  )
}

test('there is something to check', () => expect(imports.length).toBeGreaterThan(100))

test('every file has a room', () => expect(files.filter((file) => !roomOf(file))).toEqual([]))

test('no import crosses a wall', () => {
  expect(imports.filter((entry) => !isAllowed(entry)).map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
})

test.each(Object.entries(maxFiles))('%s is imported in no more than %i files of the product', (name, most) => {
  const importers = new Set(imports.filter(({ target }) => target === name).map(({ file }) => file))
  expect([...importers].length).toBeLessThanOrEqual(most)
})

test('only lib touches the real clock, real timers and real randomness', () => {
  const forbidden = /\b(Date\.now\(|new Date\(\)|performance\.now\(|Math\.random\(|setTimeout\(|setInterval\()/
  const offenders = files.filter((file) => !file.startsWith('lib/') && forbidden.test(readFileSync(file, 'utf8')))
  expect(offenders).toEqual([])
})

test('environment variables are read in one place', () => {
  // Whether Node was told about its heap is not in the configuration of the gateway.
  const readers = ['gateway/config.ts', 'bin/heap.ts']
  const offenders = files.filter((file) => !readers.includes(file) && readFileSync(file, 'utf8').includes('process.env'))
  expect(offenders).toEqual([])
})
