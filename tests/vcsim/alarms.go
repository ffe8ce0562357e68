package main

import (
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// AlarmManager holds alarms that events raise and clear, as vCenter's event alarms are: an EventEx about an object, by
// its eventTypeId. What it knows of an object stands in the object's own properties.
type AlarmManager struct {
	mo.AlarmManager

	alarms []*Alarm
}

// Alarm is one of them.
type Alarm struct {
	mo.Alarm
}

// addAlarms puts an AlarmManager at ref, which sees what clients post; actions of all objects are enabled.
func addAlarms(registry *simulator.Registry, ref types.ManagedObjectReference) {
	manager := new(AlarmManager)
	manager.Self = ref
	registry.Put(manager)
	for _, entity := range registry.All("") {
		entity.Entity().AlarmActionsEnabled = types.NewBool(true)
	}
	registry.Handler = func(_ *simulator.Context, method *simulator.Method) (mo.Reference, types.BaseMethodFault) {
		if method.Name == "PostEvent" {
			method.This = ref // the object returned here would give way to the session's
		}
		return nil, nil
	}
}

func (m *AlarmManager) AreAlarmActionsEnabled(ctx *simulator.Context, req *types.AreAlarmActionsEnabled) soap.HasFault {
	entity, fault := find(ctx, req.Entity)
	if fault != nil {
		return &methods.AreAlarmActionsEnabledBody{Fault_: fault}
	}
	return &methods.AreAlarmActionsEnabledBody{
		Res: &types.AreAlarmActionsEnabledResponse{Returnval: acts(entity)},
	}
}

func (m *AlarmManager) EnableAlarmActions(ctx *simulator.Context, req *types.EnableAlarmActions) soap.HasFault {
	entity, fault := find(ctx, req.Entity)
	if fault != nil {
		return &methods.EnableAlarmActionsBody{Fault_: fault}
	}
	set(ctx, entity, "alarmActionsEnabled", req.Enabled)
	return &methods.EnableAlarmActionsBody{Res: new(types.EnableAlarmActionsResponse)}
}

func (m *AlarmManager) CreateAlarm(ctx *simulator.Context, req *types.CreateAlarm) soap.HasFault {
	if _, fault := find(ctx, req.Entity); fault != nil {
		return &methods.CreateAlarmBody{Fault_: fault}
	}
	spec := *req.Spec.GetAlarmSpec()
	for _, alarm := range m.alarms {
		if alarm.Info.Name == spec.Name {
			fault := &types.DuplicateName{Name: spec.Name, Object: alarm.Self}
			return &methods.CreateAlarmBody{Fault_: simulator.Fault("", fault)}
		}
	}
	alarm := new(Alarm)
	ctx.Map.Put(alarm)
	alarm.Info = types.AlarmInfo{
		AlarmSpec:        spec,
		Key:              alarm.Self.Value,
		Alarm:            alarm.Self,
		Entity:           req.Entity,
		LastModifiedTime: time.Now(),
		LastModifiedUser: ctx.Session.UserName,
	}
	m.alarms = append(m.alarms, alarm)
	return &methods.CreateAlarmBody{Res: &types.CreateAlarmResponse{Returnval: alarm.Self}}
}

// PostEvent is EventManager's: it posts the event, and what the alarms make of it.
func (m *AlarmManager) PostEvent(ctx *simulator.Context, req *types.PostEvent) soap.HasFault {
	answer := post(ctx, req.EventToPost)
	event, ok := req.EventToPost.(*types.EventEx)
	if !ok {
		return answer
	}
	// References name a type without the prefix that pyVmomi writes.
	kind := strings.TrimPrefix(event.ObjectType, "vim.")
	ref := types.ManagedObjectReference{Type: kind, Value: event.ObjectId}
	entity, ok := ctx.Map.Get(ref).(mo.Entity)
	if !ok {
		return answer
	}
	for _, alarm := range m.alarms {
		status := alarm.status(event)
		if status != "" && isWithin(ctx, entity, alarm.Info.Entity) {
			alarm.turn(ctx, entity, status)
		}
	}
	return answer
}

// turn sets the alarm's status on entity, and posts that it changed and, if it has an action, that it acted.
func (a *Alarm) turn(ctx *simulator.Context, entity mo.Entity, to types.ManagedEntityStatus) {
	self := entity.Reference()
	key := a.Self.Value + "." + self.Value
	from := types.ManagedEntityStatusGreen
	for _, state := range entity.Entity().TriggeredAlarmState {
		if state.Key == key {
			from = state.OverallStatus
		}
	}
	if from == to {
		return
	}
	about := func(entity mo.Entity) types.ManagedEntityEventArgument {
		return types.ManagedEntityEventArgument{
			EntityEventArgument: types.EntityEventArgument{Name: entity.Entity().Name},
			Entity:              entity.Reference(),
		}
	}
	source := about(ctx.Map.Get(a.Info.Entity).(mo.Entity))
	its := types.AlarmEvent{Alarm: types.AlarmEventArgument{
		EntityEventArgument: types.EntityEventArgument{Name: a.Info.Name},
		Alarm:               a.Self,
	}}
	changed := &types.AlarmStatusChangedEvent{
		AlarmEvent: its, Source: source, Entity: about(entity), From: string(from), To: string(to),
	}
	post(ctx, changed)
	// What is triggered on an object shows on all above it.
	for above := entity; above != nil; above = parent(ctx, above) {
		states := []types.AlarmState{}
		for _, state := range above.Entity().TriggeredAlarmState {
			if state.Key != key {
				states = append(states, state)
			}
		}
		if to != types.ManagedEntityStatusGreen {
			states = append(states, types.AlarmState{
				Key: key, Entity: self, Alarm: a.Self, OverallStatus: to, Time: changed.CreatedTime,
				Acknowledged: types.NewBool(false), EventKey: changed.Key,
			})
		}
		set(ctx, above, "triggeredAlarmState", states)
	}
	if a.Info.Action != nil && acts(entity) {
		post(ctx, &types.AlarmActionTriggeredEvent{AlarmEvent: its, Source: source, Entity: about(entity)})
	}
}

// status is what event turns the alarm to; "" if it is none of its own.
func (a *Alarm) status(event *types.EventEx) types.ManagedEntityStatus {
	if either, ok := a.Info.Expression.(*types.OrAlarmExpression); ok && a.Info.Enabled {
		for _, each := range either.Expression {
			if its, ok := each.(*types.EventAlarmExpression); ok && its.EventTypeId == event.EventTypeId {
				return its.Status
			}
		}
	}
	return ""
}

func post(ctx *simulator.Context, event types.BaseEvent) (answer soap.HasFault) {
	events := ctx.Map.EventManager()
	ctx.WithLock(events, func() { answer = events.PostEvent(ctx, &types.PostEvent{EventToPost: event}) })
	return answer
}

func find(ctx *simulator.Context, ref types.ManagedObjectReference) (mo.Entity, *soap.Fault) {
	entity, ok := ctx.Map.Get(ref).(mo.Entity)
	if !ok {
		return nil, simulator.Fault("", &types.ManagedObjectNotFound{Obj: ref})
	}
	return entity, nil
}

// acts says whether alarms of entity act; they do unless somebody said otherwise.
func acts(entity mo.Entity) bool {
	enabled := entity.Entity().AlarmActionsEnabled
	return enabled == nil || *enabled
}

func set(ctx *simulator.Context, entity mo.Entity, property string, value any) {
	ctx.Map.AtomicUpdate(ctx, entity, []types.PropertyChange{{Name: property, Val: value}})
}

func parent(ctx *simulator.Context, entity mo.Entity) mo.Entity {
	ref := entity.Entity().Parent
	if ref == nil {
		return nil
	}
	return ctx.Map.Get(*ref).(mo.Entity)
}

func isWithin(ctx *simulator.Context, entity mo.Entity, ref types.ManagedObjectReference) bool {
	for ; entity != nil; entity = parent(ctx, entity) {
		if entity.Reference() == ref {
			return true
		}
	}
	return false
}
