// The Dockerfile held against the tree it builds from: nothing here can build an image, and a path or a port that moved should still be noticed.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseConfig, portsOf } from '../gateway/config.ts'

const text = readFileSync('Dockerfile', 'utf8')
const manifest = JSON.parse(readFileSync('package.json', 'utf8'))

interface Instruction {
  readonly name: string
  readonly words: readonly string[]
  readonly rest: string
}

/** Comments out, continued lines joined, one list for each stage. */
const stages = text
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line): Instruction => {
    const [name = '', ...words] = line.split(' ')
    return { name, words, rest: words.join(' ') }
  })
  .reduce<Instruction[][]>((all, instruction) => {
    if (instruction.name === 'FROM') all.push([])
    all.at(-1)!.push(instruction)
    return all
  }, [])

const [build = [], image = []] = stages
const of = (stage: readonly Instruction[], name: string) => stage.filter((instruction) => instruction.name === name)

/** Of `.dockerignore`: everything is left out but these. */
const lines = readFileSync('.dockerignore', 'utf8').trim().split('\n')
const kept = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))

test('two stages, of instructions that there are', () => {
  const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'VOLUME', 'USER', 'EXPOSE', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD']
  expect(stages).toHaveLength(2)
  expect(stages.flat().filter(({ name }) => !known.includes(name))).toEqual([])
})

test('what is copied is in the repository and not ignored', () => {
  const tracked = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n')
  expect(lines[1]).toBe('*')
  for (const path of kept)
    expect(
      tracked.some((file) => file === path || file.startsWith(`${path}/`)),
      path,
    ).toBe(true)
  const copied = of(build, 'COPY').flatMap(({ words }) => words.slice(0, -1))
  expect(copied.filter((path) => path !== '.' && !kept.includes(path))).toEqual([])
})

test('what the compiler reads is there', () => {
  const { include } = JSON.parse(readFileSync('tsconfig.build.json', 'utf8'))
  expect([...include, 'infra', 'tsconfig.json'].filter((path) => !kept.includes(path))).toEqual([])
})

test('every npm script it runs exists, and what it makes is what is taken from it', () => {
  const scripts = of(build, 'RUN').flatMap(({ rest }) => [...rest.matchAll(/npm run (\S+)/g)].map(([, name]) => name!))
  expect(scripts).toEqual(['build'])
  for (const name of scripts) expect(manifest.scripts).toHaveProperty([name])
  const taken = of(image, 'COPY').map(({ words }) => words.find((word) => word.startsWith('/src/'))!.slice('/src/'.length))
  expect(taken).toEqual(expect.arrayContaining([...manifest.files, 'package.json', 'node_modules']))
})

test('Node is as new as the package wants', () => {
  const wanted = Number(/\d+/.exec(manifest.engines.node)![0])
  for (const [from] of stages) expect(Number(/^node:(\d+)-/.exec(from!.rest)![1])).toBeGreaterThanOrEqual(wanted)
})

test('it does not run as root, and its data outlives it', () => {
  expect(of(image, 'USER').map(({ rest }) => rest)).toEqual(['node'])
  expect(of(image, 'VOLUME').map(({ rest }) => rest)).toEqual(['/data'])
  // The data directory of the configuration is relative to it.
  expect(of(image, 'WORKDIR').map(({ rest }) => rest)).toEqual(['/data'])
})

test('the ports are those of the doors', () => {
  const tls = { cert: 'c', key: 'k', ca: 'a' }
  const ports = Object.values(portsOf(parseConfig({ tls }))).filter((port) => port !== 'off')
  const exposed = of(image, 'EXPOSE').flatMap(({ words }) => words.map(Number))
  expect(exposed.toSorted()).toEqual(ports.toSorted())
})

test('the health check asks the admin port of the configuration', () => {
  const [check] = of(image, 'HEALTHCHECK')
  expect(check!.rest).toContain(`http://127.0.0.1:${parseConfig({}).listen.admin}/readyz`)
})

test('what others reach does not include the admin port, which the health check asks from inside', () => {
  const command = JSON.parse(of(image, 'CMD')[0]!.rest) as string[]
  expect(command).toEqual(['gateway', '--host', '0.0.0.0'])
  expect(parseConfig({ host: '0.0.0.0' }).listen.adminHost).toBe('127.0.0.1')
})

test('the command is one of weir, with flags that it has', () => {
  const [entry, command] = ['ENTRYPOINT', 'CMD'].map((name) => JSON.parse(of(image, name)[0]!.rest) as string[])
  expect(entry).toEqual(['node', '/app/bin/weir.js'])
  expect(existsSync('bin/weir.js')).toBe(true)
  expect(command![0]).toBe('gateway')
  const help = execFileSync(process.execPath, ['bin/weir.ts', 'gateway', '--help'], { encoding: 'utf8' })
  for (const flag of command!.filter((word) => word.startsWith('--'))) expect(help).toContain(flag)
})
