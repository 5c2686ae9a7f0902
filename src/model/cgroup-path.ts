/**
 * A cgroup's path and those above it, the innermost first: `/a/b` gives `/a/b`, `/a`, `/`.
 */
export function withAncestors(path: string): readonly string[] {
  const paths = [path];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    paths.push(path.slice(0, end));
  if (path !== '/') paths.push('/');
  return paths;
}
