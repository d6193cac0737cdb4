import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadThings, noThings, thingsSchema } from '../../../gateway/access/things.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-things-'))
afterAll(() => rmSync(folder, { recursive: true }))
const write = (name: string, value: unknown) => {
  writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value))
  return join(folder, name)
}

const id = (digit: string) => digit.repeat(64)
const allow = (action: string) => ({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: action, Resource: '*' } })

const path = write('things.json', {
  policies: { connect: 'connect.json', publish: allow('iot:Publish'), receive: allow('iot:Receive') },
  certificates: [
    { certificateId: id('a'), policies: ['connect'] },
    { certificateId: id('b'), status: 'REVOKED' },
  ],
  things: [
    { thingName: 'one', principals: [id('a'), id('c')], tenant: 'acme', policies: ['publish'] },
    { thingName: 'two', principals: [id('a')], policies: ['receive'] },
  ],
})
write('connect.json', allow('iot:Connect'))

test('things, their principals and what those may do', async () => {
  const things = await loadThings(path)
  expect(things.thing('one')?.tenant).toBe('acme')
  expect(things.thing('three')).toBeUndefined()
  expect(things.thingsOf(id('a')).map(({ thingName }) => thingName)).toEqual(['one', 'two'])
  const may = (principal: string, action: string) => things.policiesOf(principal).bind({}).decide(action, '*').decision
  expect(['iot:Connect', 'iot:Publish', 'iot:Receive', 'iot:Subscribe'].map((action) => may(id('a'), action))).toEqual([
    'allow',
    'allow',
    'allow',
    'implicitDeny',
  ])
  expect(['iot:Connect', 'iot:Publish'].map((action) => may(id('c'), action))).toEqual(['implicitDeny', 'allow'])
  expect(may(id('d'), 'iot:Connect')).toBe('implicitDeny')
})

test('equal sets of policies are compiled once', async () => {
  const things = await loadThings(path)
  expect(things.policiesOf(id('c'))).toBe(things.policiesOf('somebody', ['publish']))
})

test('a certificate is known when it is listed or attached', async () => {
  const things = await loadThings(path)
  expect([id('a'), id('b'), id('c'), id('d')].map(things.certificateStatus)).toEqual(['ACTIVE', 'REVOKED', 'ACTIVE', undefined])
})

test('an empty registry knows nobody', () => {
  expect(noThings.thing('a')).toBeUndefined()
  expect(noThings.policiesOf('a').bind({}).decide('iot:Connect', '*').decision).toBe('implicitDeny')
})

describe('what is refused', () => {
  const attributes = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, 'x']))
  const hash = `$scrypt$ln=14,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`

  test.each<[what: string, file: object, says: string]>([
    ['an unknown policy', { things: [{ thingName: 'a', policies: ['x'] }] }, 'things[0].policies: policy x is not in policies'],
    ['a misspelt key', { things: [{ thingNam: 'a' }] }, 'things[0].thingNam is not a known field; did you mean "thingName"?'],
    ['a thing twice', { things: [{ thingName: 'a' }, { thingName: 'a' }] }, 'things: a is there twice'],
    [
      'a name for a user and a token',
      { users: [{ name: 'a', hash }], tokens: [{ name: 'a', hash }] },
      'users and tokens: a is there twice',
    ],
    ['a password in the clear', { users: [{ name: 'a', hash: 'secret' }] }, 'users[0].hash: expected a hash that begins with $scrypt$'],
    ['a user named as a certificate', { users: [{ name: id('a'), hash }] }, 'users[0].name: expected'],
    [
      'a certificate id in capitals',
      { certificates: [{ certificateId: id('A') }] },
      'certificates[0].certificateId: expected a certificate id',
    ],
    [
      'four attributes without a type',
      { things: [{ thingName: 'a', attributes: attributes(4) }] },
      'things[0].attributes: AWS keeps three',
    ],
    ['a slash in a thing name', { things: [{ thingName: 'a/b' }] }, 'things[0].thingName: expected'],
    ['a policy that is none', { policies: { p: { Version: '2012-10-17' } } }, 'policies.p: Statement'],
    ['a policy file that is not there', { policies: { p: 'missing.json' } }, 'missing.json: cannot be read (ENOENT)'],
  ])('%s', async (_what, file, says) => {
    await expect(loadThings(write('bad.json', file))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(says),
    })
  })

  test('no file, no JSON', async () => {
    await expect(loadThings(join(folder, 'none.json'))).rejects.toMatchObject({
      message: expect.stringContaining('cannot be read (ENOENT)'),
    })
    await expect(loadThings(write('broken.json', '{'))).rejects.toMatchObject({ message: expect.stringContaining('not JSON') })
  })

  test('fifty attributes with a type are fine', () => {
    const thing = { thingName: 'a', thingTypeName: 't', attributes: attributes(50) }
    expect(thingsSchema.safeParse({ things: [thing] }).success).toBe(true)
  })
})
