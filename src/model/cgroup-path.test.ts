import { describe, expect, it } from 'vitest';
import {
  areInOneLine,
  endsInCgroup,
  isAncestorCgroup,
  isContainerCgroup,
  isWithinCgroup,
  namesFromInside,
  passesThroughCgroup,
  plainCgroup,
  relativeToCgroup,
  withAncestors,
} from './cgroup-path.ts';

describe('one cgroup within another', () => {
  it.each([
    ['/job1', '/job1', true],
    ['/job1/a', '/job1', true],
    ['/job10', '/job1', false],
    ['/job1', '/job10', false],
    ['/job1', '/job1/a', false],
    ['/job1', '/', true],
    ['/', '/', true],
    ['/', '/job1', false],
    ['/job1/', '/job1', true],
    ['/job1', '/job1/', true],
    ['/job10/', '/job1/', false],
    ['/job1/a/', '/job1//', true],
    ['/docker/0a1b/job', '/docker/0a1b', true],
    ['/docker/0a1b2c', '/docker/0a1b', false],
  ])('%s is within %s: %s', (path, upper, expected) => {
    expect(isWithinCgroup(path, upper)).toBe(expected);
    expect(relativeToCgroup(path, upper) !== null).toBe(expected);
  });

  it.each([
    ['/', '/job', true],
    ['/job', '/job/a', true],
    ['/job', '/job', false],
    ['/job/', '/job', false],
    ['/', '/', false],
    ['/job1', '/job10', false],
    ['/job/a', '/job', false],
  ])('%s is above %s: %s', (upper, lower, expected) => {
    expect(isAncestorCgroup(upper, lower)).toBe(expected);
  });

  it.each([
    ['/job1', '/job10', false],
    ['/job10', '/job1', false],
    ['/job1', '/job2', false],
    ['/job1', '/job1/a', true],
    ['/job1/a', '/job1', true],
    ['/job1', '/', true],
  ])('%s and %s lie in one line: %s', (a, b, expected) => {
    expect(areInOneLine(a, b)).toBe(expected);
  });
});

describe('the way down', () => {
  it.each([
    ['/job/a', '/job', '/a'],
    ['/job/a/b/', '/job/', '/a/b'],
    ['/job', '/job', ''],
    ['/', '/', ''],
    ['/job/a', '/', '/job/a'],
    ['/job10', '/job1', null],
    // The v1 memory controller of a container without a cgroup namespace: the mount's root is the container's cgroup.
    ['/docker/0a1b/job', '/docker/0a1b', '/job'],
    // And with one: paths count from the container's own root.
    ['/job', '/docker/0a1b', null],
  ])('of %s from %s: %s', (path, upper, expected) => {
    expect(relativeToCgroup(path, upper)).toBe(expected);
  });
});

describe('the same cgroup, named from inside a container', () => {
  it.each([
    ['/docker/0a1b/job', '/job', true],
    ['/job', '/job', true],
    ['/docker/0a1b/myjob', '/job', false],
    ['/docker/0a1b/job/', '/job', true],
    ['/docker/0a1b', '/', false],
  ])('%s can be its %s: %s', (path, inside, expected) => {
    expect(endsInCgroup(path, inside)).toBe(expected);
  });
});

describe('every path to look a cgroup up by', () => {
  it.each([
    ['/', '/'],
    ['', '/'],
    ['/job', '/job'],
    ['/job/a//', '/job/a'],
  ])('%j is plainly %s', (path, plain) => {
    expect(plainCgroup(path)).toBe(plain);
  });

  it.each([
    ['/job/a/b', ['/job/a/b', '/job/a', '/job', '/']],
    ['/job/', ['/job', '/']],
    ['/job//a', ['/job//a', '/job', '/']],
    ['/', ['/']],
  ])('%s is within %j', (path, expected) => {
    expect(withAncestors(path)).toEqual(expected);
    for (const upper of expected) expect(isWithinCgroup(path, upper)).toBe(true);
  });

  it.each([
    ['/docker/0a1b/job', ['/docker/0a1b/job', '/0a1b/job', '/job']],
    ['/docker/0a1b/', ['/docker/0a1b', '/0a1b']],
    ['/', []],
  ])('%s is seen from inside as one of %j', (path, expected) => {
    expect(namesFromInside(path)).toEqual(expected);
    for (const name of expected) expect(endsInCgroup(path, name)).toBe(true);
  });
});

describe('a part of a path', () => {
  it.each([
    ['/docker/0a1b/job', 'job', true],
    ['/docker/0a1b/job', '/0a1b/job/', true],
    ['/docker/0a1b/job', 'docker', true],
    ['/docker/0a1b/job10', 'job1', false],
    ['/docker/0a1b/myjob', 'job', false],
    ['/', 'job', false],
  ])('%s passes through %s: %s', (path, part, expected) => {
    expect(passesThroughCgroup(path, part)).toBe(expected);
  });
});

describe('a cgroup of a container', () => {
  const id = '0123456789abcdef'.repeat(4);
  it.each([
    `/docker/${id}`,
    `/system.slice/docker-${id}.scope`,
    '/kubepods.slice/kubepods-burstable.slice/pod1',
    `/kubepods/besteffort/pod1/${id}`,
    '/machine.slice/libpod-1.scope',
    '/lxc/web/init.scope',
    '/lxc.payload.web/app',
    '/system.slice/systemd-nspawn@web.service',
    `/ecs/task/${id}`,
    `/garden/${id.slice(0, 32)}/a`,
  ])('%s', (path) => expect(isContainerCgroup(path)).toBe(true));
  it.each([
    '/',
    '/job',
    '/user.slice/user-1000.slice/session-2.scope',
    '/system.slice/nginx.service',
    `/system.slice/run-r${id}.scope`,
  ])('not %s', (path) => expect(isContainerCgroup(path)).toBe(false));
  it('not one that is not known', () => expect(isContainerCgroup(undefined)).toBe(false));
});
