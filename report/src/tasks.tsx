/** The kernel's table of tasks: sortable, and only the rows that can be seen are in the page. */
import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { Incident, Task } from '../../src/model/report.ts';
import { formatBytes } from '../../src/model/units.ts';
import { Section } from './parts.tsx';
import { count } from './labels.ts';

interface Column {
  readonly key: keyof Task;
  readonly title: string;
  readonly bytes: boolean;
}
const columns: readonly Column[] = [
  { key: 'pid', title: 'PID', bytes: false },
  { key: 'name', title: 'Name', bytes: false },
  { key: 'uid', title: 'UID', bytes: false },
  { key: 'rssBytes', title: 'Resident', bytes: true },
  { key: 'anonRssBytes', title: 'Anonymous', bytes: true },
  { key: 'fileRssBytes', title: 'File', bytes: true },
  { key: 'shmemRssBytes', title: 'Shared', bytes: true },
  { key: 'swapBytes', title: 'Swap', bytes: true },
  { key: 'totalVmBytes', title: 'Virtual', bytes: true },
  { key: 'oomScoreAdj', title: 'oom_score_adj', bytes: false },
];

const rowHeight = 32;
const viewport = 420;
/** These are all seen at once: nobody searches in them. */
const fewTasks = 8;

export function Tasks({ incident }: { incident: Incident }): JSX.Element | null {
  const { tasks = [], victim } = incident;
  const [sort, setSort] = useState<{ key: keyof Task; down: boolean }>({
    key: 'rssBytes',
    down: true,
  });
  const [search, setSearch] = useState('');
  const [scrolled, setScrolled] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const used = useMemo(
    () =>
      columns.filter(({ key, bytes }) =>
        // Swap or shared memory that nobody had would only push the others out of a narrow window.
        tasks.some((task) => task[key] !== undefined && (!bytes || task[key] !== 0)),
      ),
    [tasks],
  );
  const rows = useMemo(() => {
    const wanted = search.toLowerCase();
    const found =
      wanted === ''
        ? [...tasks]
        : tasks.filter(({ name, pid }) => `${name} ${pid}`.toLowerCase().includes(wanted));
    const { key, down } = sort;
    return found.sort((a, b) => {
      const [x, y] = [a[key], b[key]];
      // What is not known stands last, whichever way it is sorted.
      if (x === undefined || y === undefined)
        return Number(x === undefined) - Number(y === undefined);
      const order =
        typeof x === 'string' || typeof y === 'string' ? String(x).localeCompare(String(y)) : x - y;
      return down ? -order : order;
    });
  }, [tasks, sort, search]);
  if (tasks.length === 0) return null;
  const total = tasks.reduce((sum, { rssBytes = 0 }) => sum + rssBytes, 0);
  const first = Math.max(0, Math.floor(scrolled / rowHeight) - 5);
  const visible = rows.slice(first, first + Math.ceil(viewport / rowHeight) + 10);
  return (
    <Section
      id="tasks"
      title="The kernel's table of tasks"
      note={`${count(tasks.length, 'task')}, ${formatBytes(total)} resident together`}
    >
      {tasks.length > fewTasks ? (
        <div class="toolbar">
          <input
            type="search"
            placeholder="Search a name or pid"
            aria-label="Search in the tasks"
            value={search}
            onInput={(event) => {
              setSearch(event.currentTarget.value);
              scroller.current?.scrollTo(0, 0);
            }}
          />
          {search === '' ? null : (
            <span class="note" role="status">
              {count(rows.length, 'task')} found
            </span>
          )}
        </div>
      ) : null}
      <div
        class="scroll virtual"
        ref={scroller}
        tabIndex={0}
        role="group"
        aria-label="Tasks"
        onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
      >
        <table aria-rowcount={rows.length + 1}>
          <thead>
            <tr aria-rowindex={1}>
              {used.map(({ key, title }) => (
                <th
                  key={key}
                  scope="col"
                  class={key === 'name' ? '' : 'number'}
                  aria-sort={sort.key === key ? (sort.down ? 'descending' : 'ascending') : 'none'}
                >
                  <button
                    type="button"
                    onClick={() =>
                      setSort({ key, down: sort.key === key ? !sort.down : key !== 'name' })
                    }
                  >
                    {title}
                    <span aria-hidden="true">
                      {sort.key === key ? (sort.down ? ' ↓' : ' ↑') : ''}
                    </span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {first > 0 ? <Spacer rows={first} columns={used.length} /> : null}
            {visible.map((task, index) => (
              <tr
                key={`${task.pid} ${index}`}
                aria-rowindex={first + index + 2}
                class={task.pid === victim?.pid ? 'victim' : ''}
              >
                {used.map(({ key, bytes }) => {
                  const value = task[key];
                  return (
                    <td key={key} class={key === 'name' ? 'name' : 'number'}>
                      {value === undefined
                        ? ''
                        : bytes
                          ? formatBytes(Number(value))
                          : String(value)}
                      {key === 'name' && task.pid === victim?.pid ? (
                        <span class="tag bad">killed</span>
                      ) : null}
                    </td>
                  );
                })}
              </tr>
            ))}
            {first + visible.length < rows.length ? (
              <Spacer rows={rows.length - first - visible.length} columns={used.length} />
            ) : null}
          </tbody>
        </table>
      </div>
      {rows.length > visible.length ? (
        <p class="note on-paper">and {rows.length - visible.length} more, not printed</p>
      ) : null}
    </Section>
  );
}

/** Stands for rows that are not drawn. An svg, since its height is an attribute and needs no inline style. */
const Spacer = ({ rows, columns: span }: { rows: number; columns: number }): JSX.Element => (
  <tr aria-hidden="true" class="spacer">
    <td colSpan={span}>
      <svg width="1" height={rows * rowHeight} />
    </td>
  </tr>
);
