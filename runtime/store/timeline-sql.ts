/** What happened in a run, as a query over its state file: for its report and for analysts. */

/** `moment` is unique within the run and stays so: rows only ever join. `text` is what people were told. */
export const timelineSql = `
    select created_at as happened_at, 'began' as kind, null as detail, null as text, 'began' as moment from state.run
    union all select sealed_at, 'sealed', null, null, 'sealed' from state.run where sealed_at is not null
    union all select started_at, 'resumed', null, null, 'session ' || session from state.sessions where session > (select min(session) from state.sessions)
    union all select raised_at, 'alert', kind, text, 'alert ' || kind from state.alerts
    union all select opened_at, 'gate-opened', kind, null, gate || ' opened' from state.gates
    union all select decided_at, 'gate-' || decision, kind, null, gate || ' decided' from state.gates where decision is not null
    union all select happened_at, kind, case kind when 'capacity' then concat(detail->>'$.from', ' → ', detail->>'$.to') else detail->>'$.account' end, null, 'event ' || event
      from state.events
    union all select released_at, 'released', null, null, 'released' from state.run where released_at is not null
    union all select max(exported_at), 'exported', null, null, 'export ' || revision from state.exports group by revision
    union all select ended_at, 'ended', status, null, 'ended' from state.run where ended_at is not null`
