import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRegistry } from '../../../gateway/access/registry.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let dir: string
let observe: SpyObserve
let stopping: AbortController
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'weir-registry-'))
  mkdirSync(join(dir, 'policies'))
  observe = createSpyObserve()
  stopping = new AbortController()
})
afterEach(() => {
  stopping.abort()
  rmSync(dir, { recursive: true })
})

const allow = (action: string) => ({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: action, Resource: '*' } })
const write = (name: string, value: unknown) => writeFileSync(join(dir, name), typeof value === 'string' ? value : JSON.stringify(value))
const things = (...names: readonly string[]) =>
  write('things.json', {
    policies: { device: 'policies/device.json' },
    things: names.map((thingName) => ({ thingName, principals: ['dev'], policies: ['device'] })),
  })

async function aRegistry() {
  const registry = await createRegistry(join(dir, 'things.json'), { observe, clock: systemClock, signal: stopping.signal })
  let changes = 0
  registry.listen(() => changes++)
  return {
    ...registry,
    changes: () => changes,
    may: (action: string) => registry.current().policiesOf('dev').bind({}).decide(action, '*').decision,
  }
}

test('a changed file becomes a whole new registry, and who listens is told after that', async () => {
  write('policies/device.json', allow('iot:Publish'))
  things('one')
  const registry = await aRegistry()
  things('one', 'two')
  await observe.next('registry.loaded', ({ count }) => count === 2)
  await expect.poll(registry.changes).toBe(1)
  expect(registry.current().thing('two')).toBeDefined()
})

test('a broken one is told, and the old one stays; so it is with one that is gone', async () => {
  write('policies/device.json', allow('iot:Publish'))
  things('one')
  const registry = await aRegistry()
  write('things.json', '{')
  expect(await observe.next('registry.rejected')).toMatchObject({ code: 'CONFIG_INVALID' })
  rmSync(join(dir, 'things.json'))
  await observe.next('registry.rejected', ({ detail }) => String(detail).includes('ENOENT'))
  expect(registry.current().thing('one')).toBeDefined()
  expect(registry.changes()).toBe(0)
})

test('policies in files of their own are watched where they are', async () => {
  write('policies/device.json', allow('iot:Publish'))
  things('one')
  const registry = await aRegistry()
  expect([registry.may('iot:Publish'), registry.may('iot:Receive')]).toEqual(['allow', 'implicitDeny'])
  write('policies/device.json', allow('iot:Receive'))
  await expect.poll(registry.changes).toBe(1)
  expect([registry.may('iot:Publish'), registry.may('iot:Receive')]).toEqual(['implicitDeny', 'allow'])
})

test('one that is broken from the start is no registry; without a file there is nobody in it', async () => {
  write('things.json', '{')
  await expect(aRegistry()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  const { current } = await createRegistry(undefined, { observe, clock: systemClock, signal: stopping.signal })
  expect(current().count).toBe(0)
})

test('a revocation in a directory that replaces the old one takes effect, and so does the next one', async () => {
  write('policies/device.json', allow('iot:Publish'))
  things('one', 'two', 'three')
  const registry = await aRegistry()
  const replaceWith = (...names: readonly string[]) => {
    renameSync(dir, `${dir}.old`)
    cpSync(`${dir}.old`, dir, { recursive: true })
    rmSync(`${dir}.old`, { recursive: true })
    things(...names)
  }
  replaceWith('one', 'two')
  await observe.next('registry.loaded', ({ count }) => count === 2)
  expect(registry.current().thing('three')).toBeUndefined()
  replaceWith('one')
  await observe.next('registry.loaded', ({ count }) => count === 1)
  expect(registry.current().thing('two')).toBeUndefined()
  expect(registry.changes()).toBe(2)
})

test('health is degraded while the things in use are older than their files', async () => {
  write('policies/device.json', allow('iot:Publish'))
  things('one')
  await aRegistry()
  write('things.json', '{')
  expect(await observe.next('gateway.degraded')).toMatchObject({ code: 'CONFIG_INVALID', target: join(dir, 'things.json') })
  things('one')
  await observe.next('gateway.recovered')
})
